//! The names of series.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The name of a series. Thousands of series share one text, so copies cost nothing, and whether two
/// are equal is usually clear from the place of the text.
#[derive(Clone, Debug)]
pub(super) struct Name(Arc<str>);

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Makes names of texts. Equal texts one after the other, as an exposition has them, share memory.
#[derive(Debug, Default)]
pub(super) struct Names {
    last: Option<Name>,
}

impl Names {
    pub(super) fn name(&mut self, text: &str) -> Name {
        let last = self.last.take().filter(|last| **last == *text);
        self.last.insert(last.unwrap_or_else(|| Name(text.into()))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_texts() {
        let mut names = Names::default();
        let made: Vec<Name> = ["b", "b", "a", "b"].map(|text| names.name(text)).into();
        assert!(Arc::ptr_eq(&made[0].0, &made[1].0) && !Arc::ptr_eq(&made[0].0, &made[3].0));
        assert!(made[0] == made[1] && made[0] == made[3] && made[0] != made[2]);
        assert!(made[2] < made[0] && made[3] > made[2]);
        assert_eq!(&*made[0], "b");
    }
}

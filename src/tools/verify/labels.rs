//! The labels of one series.

/// Labels with their values, sorted by label.
///
/// A sorted vector takes a fraction of the memory of a tree, and is compared faster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Labels(Vec<(String, String)>);

impl Labels {
    pub(super) fn get(&self, label: &str) -> Option<&str> {
        self.position(label).ok().map(|at| self.0[at].1.as_str())
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.position(label).is_ok()
    }

    pub(super) fn insert(&mut self, label: String, value: String) {
        match self.position(&label) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (label, value)),
        }
    }

    pub(super) fn remove(&mut self, label: &str) {
        if let Ok(at) = self.position(label) {
            self.0.remove(at);
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|(label, _)| keep(label));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(label, value)| (label.as_str(), value.as_str()))
    }

    fn position(&self, label: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(its, _)| its.as_str().cmp(label))
    }
}

/// Of labels with the same name, the last one counts.
impl FromIterator<(String, String)> for Labels {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(labels: T) -> Labels {
        let mut all = Labels::default();
        for (label, value) in labels {
            all.insert(label, value);
        }
        all
    }
}

//! The labels of one series.

/// Written after each name and each value, so that texts sort as pairs do.
const END: char = '\0';

/// Labels with their values, sorted by label.
///
/// They are one text: of a million series each costs two allocations, and two are compared in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Labels {
    text: String,
    /// The length of each name and each value.
    lengths: Vec<u32>,
}

impl Labels {
    pub(super) fn get(&self, label: &str) -> Option<&str> {
        self.iter().find(|(its, _)| *its == label).map(|(_, value)| value)
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.get(label).is_some()
    }

    /// The labels with this value of one label.
    pub(super) fn with(&self, label: &str, value: &str) -> Labels {
        self.replaced(label, Some(value))
    }

    /// The labels without one.
    pub(super) fn without(&self, label: &str) -> Labels {
        self.replaced(label, None)
    }

    /// The labels with another value of one label, or without it. This copies what is before it and
    /// what is after it, each at once.
    fn replaced(&self, label: &str, value: Option<&str>) -> Labels {
        let (mut place, mut start, mut after, mut end) = (0, 0, 0, 0);
        for (its, old) in self.iter().take_while(|(its, _)| *its <= label) {
            (after, end) = (after + 2, end + its.len() + old.len() + 2 * END.len_utf8());
            if its < label {
                (place, start) = (after, end);
            }
        }
        let pair = value.map_or([""; 2], |value| [label, value]);
        let mut text = String::with_capacity(self.text.len() + label.len() + pair[1].len() + 2);
        text.push_str(self.text.get(..start).expect("each text ends with END"));
        let mut lengths = Vec::with_capacity(self.lengths.len() + 2);
        lengths.extend_from_slice(&self.lengths[..place]);
        if value.is_some() {
            for part in pair {
                text.push_str(part);
                text.push(END);
                lengths.push(length(part));
            }
        }
        text.push_str(self.text.get(end..).expect("each text ends with END"));
        lengths.extend_from_slice(&self.lengths[after..]);
        Labels { text, lengths }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        if !self.iter().all(|(label, _)| keep(label)) {
            *self = self.iter().filter(|(label, _)| keep(label)).collect();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = self.text.as_str();
        let mut parts = self.lengths.iter().filter_map(move |length| {
            let (part, after) = rest.split_at_checked(*length as usize)?;
            rest = after.strip_prefix(END)?;
            Some(part)
        });
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
}

fn length(text: &str) -> u32 {
    u32::try_from(text.len()).expect("a line is at most 4 GiB long")
}

/// Of labels with the same name, the last one counts.
impl<L: AsRef<str>, V: AsRef<str>> FromIterator<(L, V)> for Labels {
    fn from_iter<T: IntoIterator<Item = (L, V)>>(labels: T) -> Labels {
        let mut pairs: Vec<(L, V)> = labels.into_iter().collect();
        pairs.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        let bytes = |(label, value): &(L, V)| label.as_ref().len() + value.as_ref().len() + 2;
        let mut all = Labels {
            text: String::with_capacity(pairs.iter().map(bytes).sum()),
            lengths: Vec::with_capacity(pairs.len() * 2),
        };
        for (index, (label, value)) in pairs.iter().enumerate() {
            let next = pairs.get(index + 1);
            if next.is_none_or(|(next, _)| next.as_ref() != label.as_ref()) {
                for part in [label.as_ref(), value.as_ref()] {
                    all.text.push_str(part);
                    all.text.push(END);
                    all.lengths.push(length(part));
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_the_last_value_counts() {
        let mut labels: Labels =
            [("b", "1"), ("a", ""), ("b", "2\0"), ("ab", "3")].into_iter().collect();
        let pairs = |labels: &Labels| {
            labels.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&labels), ["a=", "ab=3", "b=2\0"]);
        assert_eq!((labels.get("ab"), labels.get("c")), (Some("3"), None));
        labels = labels.with("c", "4").with("a", "5").without("ab").without("bb");
        assert_eq!(pairs(&labels), ["a=5", "b=2\0", "c=4"]);
        assert_eq!(pairs(&labels.with("aa", "")), ["a=5", "aa=", "b=2\0", "c=4"]);
        assert_eq!(pairs(&labels.with("", "6").without("c")), ["=6", "a=5", "b=2\0"]);
        labels.retain(|label| label == "b");
        assert_eq!(labels, [("b", "2\0")].into_iter().collect());
        labels = labels.without("b");
        assert!(labels.is_empty() && !labels.has("b"));
    }
}

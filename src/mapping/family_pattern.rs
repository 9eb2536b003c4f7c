//! Patterns of family names: `node_memory_{rest*}_bytes`.

/// The names that begin with one text, end with another, and have at least one byte between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FamilyPattern {
    before: Box<str>,
    after: Box<str>,
}

impl FamilyPattern {
    /// The pattern with these texts before and after its placeholder.
    ///
    /// ```
    /// use crossfade::mapping::FamilyPattern;
    ///
    /// let old = FamilyPattern::new("node_memory_", "");
    /// let new = FamilyPattern::new("node_memory_", "_bytes");
    /// let rest = old.rest_of(b"node_memory_Active").expect("it begins like that");
    /// assert_eq!(rest, b"Active");
    /// assert_eq!(&*new.with(rest), b"node_memory_Active_bytes");
    /// assert_eq!(new.rest_of(b"node_memory__bytes"), None);
    /// ```
    #[must_use]
    pub fn new(before: &str, after: &str) -> FamilyPattern {
        FamilyPattern { before: before.into(), after: after.into() }
    }

    /// The part of a name that the placeholder matches. `None` if the name is not of the pattern.
    #[must_use]
    pub fn rest_of<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        let rest = name.strip_prefix(self.before.as_bytes())?;
        rest.strip_suffix(self.after.as_bytes()).filter(|rest| !rest.is_empty())
    }

    /// The name in which this text is in place of the placeholder.
    #[must_use]
    pub fn with(&self, rest: &[u8]) -> Box<[u8]> {
        [self.before.as_bytes(), rest, self.after.as_bytes()].concat().into()
    }

    /// The number of bytes that a name has in addition to the placeholder. Of two patterns that
    /// match a name, the one with more text is the more specific one.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Whether every name of the other pattern is of this one too.
    #[must_use]
    pub fn contains(&self, other: &FamilyPattern) -> bool {
        other.before.starts_with(&*self.before) && other.after.ends_with(&*self.after)
    }

    /// A name that both patterns match, unless no name is.
    pub(in crate::mapping) fn common_name(&self, other: &FamilyPattern) -> Option<String> {
        let before = longer(&self.before, &other.before, |long, short| long.starts_with(short))?;
        let after = longer(&self.after, &other.after, |long, short| long.ends_with(short))?;
        Some(format!("{before}x{after}"))
    }

    /// The texts before and after the placeholder.
    #[must_use]
    pub fn texts(&self) -> [&str; 2] {
        [&self.before, &self.after]
    }
}

/// The longer text, if the other is a part of it.
fn longer<'a>(a: &'a str, b: &'a str, has: impl Fn(&str, &str) -> bool) -> Option<&'a str> {
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    has(long, short).then_some(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_placeholder_matches() {
        for (before, after, name, rest) in [
            ("a_", "", "a_b", Some("b")),
            ("a_", "", "a_", None),
            ("a_", "", "b_a_b", None),
            ("", "_b", "a_b_b", Some("a_b")),
            ("", "_b", "_b", None),
            ("a_", "_b", "a_x_b", Some("x")),
            // The texts may not overlap, and something is between them.
            ("a_", "_b", "a_b", None),
            ("a_", "_b", "a__b", None),
            ("", "", "a", Some("a")),
            ("", "", "", None),
        ] {
            let found = FamilyPattern::new(before, after).rest_of(name.as_bytes());
            assert_eq!(found, rest.map(str::as_bytes), "{before}{{}}{after} {name}");
        }
    }

    #[test]
    fn patterns_that_meet() {
        for (a, b, common, contains) in [
            (("a_", ""), ("", "_b"), Some("a_x_b"), false),
            (("a_", ""), ("a_c_", ""), Some("a_c_x"), true),
            (("a_", ""), ("a_", "_b"), Some("a_x_b"), true),
            (("a_", ""), ("b_", ""), None, false),
            (("a_", "_c"), ("", "_b"), None, false),
            (("a_", "c"), ("a_b", ""), Some("a_bxc"), false),
            (("", ""), ("a", "b"), Some("axb"), true),
        ] {
            let (a, b) = (FamilyPattern::new(a.0, a.1), FamilyPattern::new(b.0, b.1));
            assert_eq!(a.common_name(&b).as_deref(), common, "{a:?} {b:?}");
            assert_eq!(b.common_name(&a).as_deref(), common, "{b:?} {a:?}");
            assert_eq!(a.contains(&b), contains, "{a:?} {b:?}");
            let both = |name: &String| {
                a.rest_of(name.as_bytes()).is_some() && b.rest_of(name.as_bytes()).is_some()
            };
            assert!(a.common_name(&b).as_ref().is_none_or(both));
        }
    }
}

//! Names that Prometheus accepts.
//!
//! Source: prometheus/docs, "Metric names and labels", the characters that every version accepts.

/// True for the name of a family.
pub(in crate::mapping) fn is_family(name: &str) -> bool {
    legal(name, |c| c == ':')
}

/// True for the name of a label.
pub(in crate::mapping) fn is_label(name: &str) -> bool {
    legal(name, |_| false)
}

fn legal(name: &str, also: impl Fn(char) -> bool) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || also(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, family, label) in [
            ("a_1", true, true),
            ("_", true, true),
            ("A:b", true, false),
            (":", true, false),
            ("", false, false),
            ("1a", false, false),
            ("a-b", false, false),
            ("a.b", false, false),
            ("ä", false, false),
        ] {
            assert_eq!((is_family(name), is_label(name)), (family, label), "{name}");
        }
    }
}

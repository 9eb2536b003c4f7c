//! What precedes all paths of a listener, such as `/crossfade` where a proxy serves many services.

/// The first part of every path, without a slash at its end. Empty: there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePrefix(String);

/// A path, as seen from below a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefixed<'a> {
    /// The path without the prefix. It starts with a slash.
    Below(&'a str),
    /// The path of the prefix itself, or `/`: clients are redirected to the first page.
    Start,
    /// Any other path.
    Outside,
}

impl RoutePrefix {
    /// A prefix; slashes at its end are left out. `None` if it cannot be part of a path, or if clients
    /// would change it: they resolve `..` and may decode `%41`.
    #[must_use]
    pub fn new(text: &str) -> Option<RoutePrefix> {
        let text = text.trim_end_matches('/');
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.is_empty() {
            return Some(RoutePrefix::default());
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain);
        text.split('/').all(is_segment).then(|| RoutePrefix(format!("/{text}")))
    }

    /// `/a/b`, or an empty text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a path is without the prefix.
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Prefixed<'a> {
        match path.strip_prefix(self.0.as_str()) {
            Some(rest) if rest.starts_with('/') || self.0.is_empty() => Prefixed::Below(rest),
            Some("") => Prefixed::Start,
            _ if path == "/" => Prefixed::Start,
            _ => Prefixed::Outside,
        }
    }

    /// Where clients find the first page, relative to a path that is [`Prefixed::Start`]: a proxy may
    /// have another prefix.
    #[must_use]
    pub fn start(&self, path: &str) -> String {
        let of_prefix = self.0.trim_start_matches('/');
        let last = self.0.rsplit('/').next().unwrap_or_default();
        format!("{}/", if path == "/" { of_prefix } else { last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_stripped() {
        let none = RoutePrefix::new("/").expect("valid");
        for path in ["/", "/metrics", "*", "/a/b"] {
            assert_eq!(none.strip(path), Prefixed::Below(path));
        }
        let prefix = RoutePrefix::new("/a/b/").expect("valid");
        for (path, expected) in [
            ("/a/b/", Prefixed::Below("/")),
            ("/a/b/metrics", Prefixed::Below("/metrics")),
            ("/a/b//metrics", Prefixed::Below("//metrics")),
            ("/a/b", Prefixed::Start),
            ("/", Prefixed::Start),
            ("/a/bc", Prefixed::Outside),
            ("/a", Prefixed::Outside),
            ("/metrics", Prefixed::Outside),
            ("*", Prefixed::Outside),
        ] {
            assert_eq!(prefix.strip(path), expected, "{path}");
        }
        assert_eq!((&*prefix.start("/"), &*prefix.start("/a/b")), ("a/b/", "b/"));
    }
}

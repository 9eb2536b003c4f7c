//! URLs without their secrets.

use std::fmt;
use std::ops::Deref;

use hyper::Uri;

/// A URL that is shown without its secrets: neither `Display` nor `Debug` have the user name, the
/// password or the query. What connects to it dereferences it.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(Uri);

impl From<Uri> for Url {
    fn from(url: Uri) -> Url {
        Url(url)
    }
}

impl Url {
    /// The URL with its secrets, to connect to it.
    pub(crate) fn whole(&self) -> String {
        self.0.to_string()
    }
}

impl Deref for Url {
    type Target = Uri;

    fn deref(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_url(&self.0.to_string()))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "<secret>";

/// The URL in a text, without user name and password, and without its query: either can contain a
/// secret. A text without `://` is returned unchanged, unless it looks like `user:password@host`.
pub(crate) fn shown_url(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None if has_password(text) || text.starts_with('/') => ("", text),
        None => return text.to_owned(),
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, _)) => (place, format!("?{MASK}")),
        None => (rest, String::new()),
    };
    // A password can contain a slash, which is not allowed in a URL, but happens. A path can
    // contain `@` as well, so without a colon before it, it is kept.
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let (authority, path) = if has_password(place) && !authority.contains('@') {
        (place, "")
    } else {
        (authority, path)
    };
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{MASK}@{host}{path}{query}"),
        None => format!("{scheme}{authority}{path}{query}"),
    }
}

/// A value that is wrong, for its error. It may be a URL without a scheme, so that what is before an
/// `@` may be a user.
pub(crate) fn shown_value(text: &str) -> String {
    let shown = shown_url(text);
    match text.rsplit_once('@') {
        Some((_, host)) if shown == text => format!("{MASK}@{host}"),
        _ => shown,
    }
}

/// True if a value may contain the secret of a URL.
pub(crate) fn has_secret(text: &str) -> bool {
    shown_value(text) != text
}

/// True for `user:password@host`, where the password can contain slashes.
fn has_password(text: &str) -> bool {
    let Some((before, _)) = text.rsplit_once('@') else { return false };
    let user = before.split(['/', '?']).next().unwrap_or_default();
    match user.split_once(':') {
        // `host:port/path@x` has no password.
        Some((_, after)) => !(after.bytes().all(|byte| byte.is_ascii_digit()) && before != user),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_not_printed_by_mistake() {
        let url = Url::from("http://a:b@kong/m?c=d".parse::<Uri>().expect("a URL"));
        let shown = format!("{url} {url:?}");
        assert_eq!(shown.matches("http://<secret>@kong/m?<secret>").count(), 2, "{shown}");
        assert_eq!(url.query(), Some("c=d"));
    }

    #[test]
    fn wrong_values_are_not_shown_with_a_user() {
        assert_eq!(shown_value("token@kong:8100"), "<secret>@kong:8100");
        assert_eq!(shown_value("kong:8100"), "kong:8100");
        assert!(has_secret("token@kong:8100") && has_secret("http://kong?a"));
    }

    #[test]
    fn secrets_are_not_shown() {
        for (text, shown) in [
            ("http://kong:8100/metrics", "http://kong:8100/metrics"),
            ("http://a:b@kong/m", "http://<secret>@kong/m"),
            ("http://a@kong/m", "http://<secret>@kong/m"),
            ("http://a:b@c@kong", "http://<secret>@kong"),
            ("http://a:b/c@kong/m", "http://<secret>@kong/m"),
            ("http://kong/@m", "http://kong/@m"),
            ("http://kong:8100/@m", "http://kong:8100/@m"),
            ("http://kong/m?a=b&x", "http://kong/m?<secret>"),
            ("http://kong?x@y", "http://kong?<secret>"),
            ("name=http://u:p@kong/m", "name=http://<secret>@kong/m"),
            ("u:p@kong:8100/metrics", "<secret>@kong:8100/metrics"),
            ("udp://[::1]:8125", "udp://[::1]:8125"),
            ("me@example.com", "me@example.com"),
            ("scrape?.txt", "scrape?.txt"),
            ("/status?token=x", "/status?<secret>"),
            ("/status/@x", "/status/@x"),
        ] {
            assert_eq!(shown_url(text), shown, "{text}");
        }
    }
}

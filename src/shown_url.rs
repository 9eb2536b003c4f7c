//! URLs without their secrets.

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "<secret>";

/// The URL in a text, without user name and password, and without its query: either can contain a
/// secret. A text without `://` is returned unchanged, unless it looks like `user:password@host`.
pub(crate) fn shown_url(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None if has_password(text) => ("", text),
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

/// True if a value may contain the secret of a URL.
pub(crate) fn has_secret(text: &str) -> bool {
    shown_url(text) != text
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
        ] {
            assert_eq!(shown_url(text), shown, "{text}");
        }
    }
}

//! The secrets of a request, which must not be shown with what the server says about it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::HeaderMap;

/// What is shown in place of a secret.
const HIDDEN: &str = "<secret>";

/// A shorter text cannot be told from other words.
const MIN_BYTES: usize = 4;

/// The values of headers that were sent and must not be shown.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a request: the sensitive headers, and the token or the password in one that has a
    /// scheme.
    pub(super) fn of(headers: &HeaderMap) -> Secrets {
        let sensitive = headers.values().filter(|value| value.is_sensitive());
        let values = sensitive.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
        let mut secrets: Vec<String> = values.flat_map(parts).collect();
        secrets.retain(|secret| secret.len() >= MIN_BYTES);
        // A secret that contains another one is hidden as a whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Secrets(secrets)
    }

    /// The text without them.
    pub(super) fn hide_in(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// The value of a header, what follows its scheme, and the password in that.
fn parts(value: &str) -> Vec<String> {
    let mut parts = vec![value.to_owned()];
    if let Some((scheme, credentials)) = value.split_once(' ') {
        parts.push(credentials.to_owned());
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(pair) = BASE64.decode(credentials)
            && let Ok(pair) = String::from_utf8(pair)
            && let Some((_, password)) = pair.split_once(':')
        {
            parts.extend([password.to_owned(), pair.clone()]);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn hidden(value: &str, text: &str) -> String {
        let mut value = HeaderValue::from_str(value).expect("printable");
        value.set_sensitive(true);
        let shown = HeaderValue::from_static("shown-header");
        let headers = [("a", shown), ("b", value)]
            .map(|(name, value)| (hyper::header::HeaderName::from_static(name), value));
        Secrets::of(&headers.into_iter().collect()).hide_in(text)
    }

    #[test]
    fn secrets_are_hidden_in_each_form_that_a_server_may_repeat() {
        for (value, text, expected) in [
            (
                "Bearer to-ken",
                "no user for to-ken, shown-header",
                "no user for <secret>, shown-header",
            ),
            ("Bearer to-ken", "Authorization: Bearer to-ken", "Authorization: <secret>"),
            ("to-ken", "\"to-ken\" and to-ken", "\"<secret>\" and <secret>"),
            // me:open sesame
            ("Basic bWU6b3BlbiBzZXNhbWU=", "wrong: bWU6b3BlbiBzZXNhbWU=", "wrong: <secret>"),
            ("Basic bWU6b3BlbiBzZXNhbWU=", "no 'open sesame' for me", "no '<secret>' for me"),
            ("Basic bWU6b3BlbiBzZXNhbWU=", "me:open sesame", "<secret>"),
            ("Basic !", "Basic ! of me", "<secret> of me"),
            ("Bearer schlüssel", "not schlüssel", "not <secret>"),
            ("7", "7 of 17 tenants", "7 of 17 tenants"),
        ] {
            assert_eq!(hidden(value, text), expected, "{value}");
        }
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        let mut value = HeaderValue::from_static("Bearer to-ken");
        value.set_sensitive(true);
        let headers = [(hyper::header::AUTHORIZATION, value)].into_iter().collect();
        assert_eq!(format!("{:?}", Secrets::of(&headers)), "<secret>");
    }
}

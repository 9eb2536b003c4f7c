//! Links that contain a query, such as those to Grafana's Explore page.

/// A URL with its percent-encoded ASCII characters decoded. Series names have no others.
pub(super) fn decoded(url: &str) -> String {
    let mut text = String::with_capacity(url.len());
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, after.get(2..)) {
            (Some(byte), Some(more)) if byte.is_ascii() => {
                text.push(char::from(byte));
                rest = more;
            }
            _ => {
                text.push('%');
                rest = after;
            }
        }
    }
    text + rest
}

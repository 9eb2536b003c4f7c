//! Parameters of a query.

use percent_encoding::percent_decode_str;

/// The value of a parameter, decoded. `None` if there is none, or if it is not UTF-8.
pub(super) fn value(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(its, _)| *its == name)?;
    let value = value.replace('+', " ");
    Some(percent_decode_str(&value).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded() {
        assert_eq!(value("a=1&name=%28probe%3Ab%29", "name").as_deref(), Some("(probe:b)"));
        assert_eq!(value("name=a+b", "name").as_deref(), Some("a b"));
        assert_eq!(value("name", "name"), None);
        assert_eq!(value("name=%ff", "name"), None);
    }
}

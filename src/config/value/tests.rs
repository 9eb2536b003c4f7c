//! Single values of the settings file.

use std::time::Duration;

use super::environment::expand;
use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("kong".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

#[test]
fn references_are_replaced() {
    let cases = [
        ("plain", "plain"),
        ("http://${HOST}:8100", "http://kong:8100"),
        ("${HOST}${HOST}", "kongkong"),
        ("a$b $HOST", "a$b $HOST"), // no braces: not a reference
        ("$${HOST}", "${HOST}"),
        ("${MISSING:-x}", "x"),
        ("${MISSING:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"), // as in the shell
    ];
    for (text, expected) in cases {
        assert_eq!(expand(text, environment).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn references_to_nothing_are_errors() {
    for (text, part) in [("${MISSING}", "no variable `MISSING`"), ("a${HOST", "without `}`")] {
        let error = expand(text, environment).expect_err(text);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn times() {
    assert_eq!("1m30s".parse(), Ok(TimeSpan(Duration::from_secs(90))));
    assert!("10".parse::<TimeSpan>().is_err());
}

#[test]
fn sizes() {
    for (text, bytes) in [("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("1 GiB", 1 << 30)] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "KiB", "-1", "1MB", "99999999999999GiB"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
}

#[test]
fn values_are_displayed_as_they_are_written() {
    assert_eq!(TimeSpan(Duration::from_millis(1_500)).to_string(), "1500ms");
    assert_eq!(TimeSpan(Duration::from_secs(90)).to_string(), "90s");
    assert_eq!(Size(1 << 20).to_string(), "1MiB");
    assert_eq!(Size(1_000).to_string(), "1000");
    assert_eq!(Size(0).to_string(), "0");
}

#[test]
fn target_urls() {
    for text in [
        "http://kong:8100/metrics",
        "https://kong:8444/metrics",
        "http://[::1]:8100",
        "http://a/b?c=d",
    ] {
        assert!(text.parse::<TargetUrl>().is_ok(), "{text}");
    }
    for (text, url) in [
        ("http://kong:8100", "http://kong:8100/metrics"),
        ("https://[::1]", "https://[::1]/metrics"),
        ("http://kong:8100/", "http://kong:8100/"),
        ("http://kong/?a=secret", "http://kong/?<secret>"),
    ] {
        assert_eq!(text.parse::<TargetUrl>().expect(text).to_string(), url);
    }
    for port in ["65536", "81000", "0", "x", "+80", ""] {
        let error = format!("http://kong:{port}/metrics").parse::<TargetUrl>();
        assert_eq!(error, Err("the port is not a number from 1 to 65535"), "{port}");
        assert!(format!("kong:{port}").parse::<HostPort>().is_err(), "{port}");
    }
    for text in ["", "kong:8100", "/metrics", "https://", "ftp://kong", "http://u:p@kong/"] {
        assert!(text.parse::<TargetUrl>().is_err(), "{text}");
    }
}

#[test]
fn names() {
    for text in ["kong-1", "kong.example:8100", "[::1]:8100"] {
        assert!(text.parse::<TargetName>().is_ok(), "{text}");
    }
    for text in ["", "a/b", "a b", "ü", "a?b", &"x".repeat(129)] {
        assert!(text.parse::<TargetName>().is_err(), "{text}");
    }
    for text in ["service", "_x9"] {
        assert!(text.parse::<LabelName>().is_ok(), "{text}");
    }
    for text in ["", "9x", "a-b", "a:b"] {
        assert!(text.parse::<LabelName>().is_err(), "{text}");
    }
}

#[test]
fn prefixes_of_paths() {
    for (text, shown) in [("/a", "/a"), ("/a/b/", "/a/b"), ("a", "/a"), ("/", "/"), ("//", "/")] {
        assert_eq!(text.parse::<PathPrefix>().expect(text).to_string(), shown);
    }
    for text in ["", "/a b", "/a?b", "/a#b", "/a//b", "/%41", "http://a/b", "/a/../b", "/."] {
        assert!(text.parse::<PathPrefix>().is_err(), "{text}");
    }
}

#[test]
fn external_urls() {
    for (text, shown) in [
        ("http://a:1/b", "http://a:1/b/"),
        ("https://a", "https://a/"),
        ("https://[::1]:1/b/c/", "https://[::1]:1/b/c/"),
    ] {
        assert_eq!(text.parse::<ExternalUrl>().expect(text).to_string(), shown);
    }
    for text in
        ["", "a:1", "/b", "ftp://a", "http://", "http://u:p@a/", "http://a/?b", "http://a:0"]
    {
        assert!(text.parse::<ExternalUrl>().is_err(), "{text}");
    }
}

#[test]
fn listen_addresses() {
    assert_eq!(":9542".parse(), Ok(Listen(([0, 0, 0, 0], 9542).into())));
    assert_eq!("127.0.0.1:0".parse(), Ok(Listen(([127, 0, 0, 1], 0).into())));
    for text in ["", "9542", "localhost:9542", ":x"] {
        assert!(text.parse::<Listen>().is_err(), "{text}");
    }
}

//! The status page: files that are part of the binary.
//!
//! The page requests all its data from `/api/` and inserts it as text, never as markup. If that
//! ever fails, the content security policy of each file still allows no script but those of this
//! listener.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::admin::respond::respond;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    // After an upgrade, the browser must not mix files of two versions.
    (CACHE_CONTROL, "no-cache"),
];

/// The scripts, which import each other. `page.js` is the first.
const SCRIPTS: [(&str, &str); 13] = [
    ("api.js", include_str!("api.js")),
    ("dom.js", include_str!("dom.js")),
    ("explain.js", include_str!("explain.js")),
    ("numbers.js", include_str!("numbers.js")),
    ("overview.js", include_str!("overview.js")),
    ("page.js", include_str!("page.js")),
    ("report.js", include_str!("report.js")),
    ("row.js", include_str!("row.js")),
    ("settings.js", include_str!("settings.js")),
    ("sides.js", include_str!("sides.js")),
    ("statsd.js", include_str!("statsd.js")),
    ("targets.js", include_str!("targets.js")),
    ("words.js", include_str!("words.js")),
];

fn script(name: &str) -> Option<&'static str> {
    SCRIPTS.iter().find(|(its, _)| *its == name).map(|(_, text)| *text)
}

/// The response for one of the files of the page. `None`: there is no such file.
pub(super) fn answer(path: &str) -> Option<Response<Full<Bytes>>> {
    let (content_type, text) = match path {
        "/" => ("text/html; charset=utf-8", include_str!("page.html")),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page.css")),
        _ => ("text/javascript; charset=utf-8", script(path.strip_prefix('/')?)?),
    };
    let mut response = respond(StatusCode::OK, content_type, text);
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrape;

    #[test]
    fn every_import_is_a_file() {
        for (name, text) in SCRIPTS {
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let (_, from) = line.split_once(" from \"./").expect("an import on one line");
                let from = from.trim_end_matches("\";");
                assert!(script(from).is_some(), "{name} imports {from}");
            }
        }
        assert!(include_str!("page.html").contains("src=\"page.js\""));
    }

    #[test]
    fn reasons_of_failed_scrapes_have_words() {
        let script = include_str!("words.js");
        let (_, words) = script.split_once("const REASONS = {").expect("the table of words");
        let (words, _) = words.split_once("};").expect("its end");
        let keys: Vec<&str> =
            words.lines().filter_map(|line| line.split_once(':')).map(|it| it.0.trim()).collect();
        assert_eq!(keys, scrape::Error::REASONS);
    }
}

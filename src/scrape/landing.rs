//! The landing page at `/`, and the list of paths in the body of a 404.
//!
//! Links are relative, so that they work below any prefix. What is shown has the prefix.

use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

use super::response::{Body, HTML, append, whole};
use super::settings::External;
use super::target::Target;

/// The style of the page, which is that of the status page.
const STYLE: &str = include_str!("landing.css");

/// Allows this style and nothing else. The hash is that of the style; a test checks it.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'sha256-D0YP/6auuPsChrPTGL8g6oPjaLXkamRYKed29YI1Ei4='; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The sign as an icon, as on the status page.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
                    %3Cpath d='M1 3 15 13' stroke='%237b3294' stroke-width='2.4' stroke-linecap='round'/%3E\
                    %3Cpath d='M1 13 15 3' stroke='%231f78b4' stroke-width='2.4' stroke-linecap='round'/%3E%3C/svg%3E";

/// The sign of the page, and the version.
const HEAD: &str = concat!(
    "<h1><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path class=\"old\" d=\"M1 3 15 13\"/>",
    "<path class=\"new\" d=\"M1 13 15 3\"/></svg>Crossfade <span>",
    env!("CARGO_PKG_VERSION"),
    "</span></h1>\n<p>Prometheus scrapes this listener. The status page is on the admin listener ",
    "(<code>admin.listen_address</code>, by default <code>http://127.0.0.1:9543/</code>).</p>\n",
);

/// The paths at which targets are scraped, one line each.
pub(super) fn append_paths<'a>(
    text: &mut String,
    targets: impl Iterator<Item = &'a Target>,
    external: &External,
) {
    for target in targets {
        append(text, format_args!("{}\n", external.target_path(&target.settings().name)));
    }
}

/// A response with an HTML page that lists `targets`. `has_proxy`: clients may name targets
/// themselves.
pub(super) fn response<'a>(
    targets: impl Iterator<Item = &'a Target>,
    has_proxy: bool,
    external: &External,
) -> Response<Body> {
    let mut response = whole(StatusCode::OK, HTML, page(targets, has_proxy, external));
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn page<'a>(
    targets: impl Iterator<Item = &'a Target>,
    has_proxy: bool,
    external: &External,
) -> String {
    let prefix = external.link_prefix.as_str();
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Crossfade</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"{ICON}\">\n<style>{STYLE}</style></head>\n<body><main>\n{HEAD}"
    );
    let mut items = String::new();
    let mut count = 0;
    for target in targets {
        count += 1;
        // The settings restrict names to characters that need no escaping in HTML.
        let (name, emit) = (&target.settings().name, target.settings().mapping.emit);
        append(
            &mut items,
            format_args!(
                "<li><a href=\"targets/{name}/metrics\">{}</a> <small>emit: {emit}</small></li>\n",
                external.target_path(name)
            ),
        );
    }
    if count > 0 {
        append(&mut page, format_args!("<h2>Targets</h2>\n<ul>\n{items}</ul>\n"));
        page.push_str("<h2>Other paths</h2>\n<ul>\n");
        if count == 1 {
            append(
                &mut page,
                format_args!(
                    "<li><a href=\"metrics\">{prefix}/metrics</a> <small>the same target</small></li>\n"
                ),
            );
        }
        append(
            &mut page,
            format_args!(
                "<li><a href=\"sd\">{prefix}/sd</a> <small>all targets, for http_sd_configs</small></li>\n</ul>\n"
            ),
        );
    }
    if has_proxy {
        append(
            &mut page,
            format_args!(
                "<p>Targets that the allow-list permits: through <code>proxy_url</code>, or at \
                 <code>{prefix}/probe?target=HOST:PORT</code>.</p>\n"
            ),
        );
    }
    page.push_str("</main></body></html>\n");
    page
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn the_policy_allows_the_style() {
        let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
        let source = format!("'sha256-{}'", STANDARD.encode(digest));
        assert!(POLICY.contains(&source), "the hash of landing.css is {source}");
    }
}

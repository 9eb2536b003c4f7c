//! The landing page at `/`, and the list of paths in the body of a 404.

use super::response::append;
use super::target::Target;

/// The paths at which targets are scraped, one line each.
pub(super) fn append_paths<'a>(text: &mut String, targets: impl Iterator<Item = &'a Target>) {
    for target in targets {
        append(text, format_args!("/targets/{}/metrics\n", target.settings().name));
    }
}

/// An HTML page that lists `targets`. `has_proxy`: clients may name targets themselves.
pub(super) fn page<'a>(targets: impl Iterator<Item = &'a Target>, has_proxy: bool) -> String {
    let mut page = String::from(concat!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Crossfade</title></head>\n",
        "<body><h1>Crossfade</h1>\n<p>Targets that Prometheus can scrape here:</p>\n<ul>\n",
    ));
    let mut count = 0;
    for target in targets {
        count += 1;
        // The settings restrict names to characters that need no escaping in HTML.
        let (name, emit) = (&target.settings().name, target.settings().mapping.emit);
        append(
            &mut page,
            format_args!(
                "<li><a href=\"/targets/{name}/metrics\">/targets/{name}/metrics</a> (emit: {emit})</li>\n"
            ),
        );
    }
    page.push_str("</ul>\n");
    if count == 1 {
        page.push_str("<p>Also available at <a href=\"/metrics\">/metrics</a>.</p>\n");
    }
    if count > 0 {
        page.push_str(
            "<p>All targets, for <code>http_sd_configs</code>: <a href=\"/sd\">/sd</a>.</p>\n",
        );
    }
    if has_proxy {
        page.push_str(
            "<p>Targets that the allow-list permits: through <code>proxy_url</code>, or at <code>/probe?target=HOST:PORT</code>.</p>\n",
        );
    }
    page.push_str("</body></html>\n");
    page
}

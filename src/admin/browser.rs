//! Refuses requests that a web page of another site can make a browser send.
//!
//! A browser on a computer that reaches the admin listener sends requests on behalf of any page
//! that it shows. There are two ways. A page of another site posts a form; the browser then names
//! the site in `Origin` and `Sec-Fetch-Site`. Or the page's own host name is made to resolve to the
//! address of the listener (DNS rebinding), so that the page can also read the response; then
//! `Host` has that name. Programs that are not browsers send neither `Origin` nor a foreign name.

use std::net::Ipv6Addr;

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, Request};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names below these cannot be registered by anyone, so no page of another site has one.
const LOCAL_DOMAINS: &[&str] = &["localhost", "local", "internal", "home.arpa", "svc"];

/// Checks a request that reads settings or targets, or changes something. `hosts` are further names
/// of the listener.
///
/// # Errors
///
/// The reason to refuse it, as text for the response.
pub(super) fn check<B>(request: &Request<B>, hosts: &[String]) -> Result<(), &'static str> {
    let headers = request.headers();
    let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    let authority = authority.or_else(|| text(headers, &HOST));
    if authority.is_some_and(|authority| !is_known(host_of(authority), hosts)) {
        return Err(
            "The Host of this request is not a known name of this listener. Add the name to \
                    admin.hosts in the settings, or use the address.\n",
        );
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && is_from_another_site(headers, authority, hosts) {
        return Err("This request was sent by a page of another site.\n");
    }
    Ok(())
}

fn is_from_another_site(headers: &HeaderMap, authority: Option<&str>, hosts: &[String]) -> bool {
    let named = |host: &str| hosts.iter().any(|its| its.eq_ignore_ascii_case(host));
    match headers.get(ORIGIN) {
        // A proxy in between can have replaced `Host`.
        Some(origin) => {
            let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            !origin.is_some_and(|(_, its)| Some(its) == authority || named(host_of(its)))
        }
        None => matches!(text(headers, &SEC_FETCH_SITE), Some("cross-site" | "same-site")),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    // A value that is not text is not a known name either, see `is_local_name`.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The host in `host:port`.
fn host_of(authority: &str) -> &str {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_known(host: &str, hosts: &[String]) -> bool {
    let host = without_dot(host);
    let is_v6 = |host: &str| {
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok())
    };
    // Only names can be made to resolve to another address; addresses cannot.
    host.parse::<std::net::Ipv4Addr>().is_ok()
        || is_v6(host)
        || is_local_name(&host.to_ascii_lowercase())
        || hosts.iter().any(|its| without_dot(its).eq_ignore_ascii_case(host))
}

/// A name without the dot that ends a fully qualified one.
fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// A name without a dot, as in `/etc/hosts` and of containers, or below a domain that is not
/// public.
fn is_local_name(host: &str) -> bool {
    let in_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if host.is_empty() || !host.bytes().all(in_names) {
        return false;
    }
    let below = |domain: &&str| {
        host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    !host.contains('.') || LOCAL_DOMAINS.iter().any(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &Method, headers: &[(HeaderName, &str)]) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = method.clone();
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().expect("a header value"));
        }
        request
    }

    #[test]
    fn only_known_hosts_are_served() {
        let hosts = ["Crossfade.example.com".to_owned(), "rooted.example.com.".to_owned()];
        for (host, known) in [
            ("127.0.0.1:9543", true),
            ("10.0.0.7", true),
            ("[::1]:9543", true),
            ("localhost:9543", true),
            ("crossfade:9543", true),
            ("crossfade.monitoring.svc:9543", true),
            ("crossfade.monitoring.svc.cluster.local.:9543", true),
            ("crossfade.example.com", true),
            ("rooted.example.com:9543", true),
            ("rooted.example.com.", true),
            ("evil.example:9543", false),
            ("", false),
            (":9543", false),
            ("evil%2eexample", false),
            ("127.0.0.1.evil.example", false),
            ("evil.crossfade.example.com", false),
            ("notlocal.xlocal", false),
            ("[::1].evil.example", false),
            ("127.0.0.1:9543@evil.example", false),
        ] {
            let outcome = check(&request(&Method::GET, &[(HOST, host)]), &hosts);
            assert_eq!(outcome.is_ok(), known, "{host}");
        }
        let mut foreign = request(&Method::GET, &[]);
        let value = hyper::header::HeaderValue::from_bytes("ev\u{ed}l".as_bytes()).expect("bytes");
        foreign.headers_mut().insert(HOST, value);
        check(&foreign, &hosts).expect_err("not a name");
        check(&request(&Method::GET, &[]), &hosts).expect("no browser omits it");
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let hosts = ["crossfade.example.com".to_owned()];
        let origin = |origin| (ORIGIN, origin);
        let site = |site| (SEC_FETCH_SITE, site);
        for (header, served) in [
            (None, true),
            (Some(origin("http://localhost:9543")), true),
            (Some(origin("https://crossfade.example.com")), true),
            (Some(site("same-origin")), true),
            (Some(site("none")), true),
            (Some(origin("http://localhost:8000")), false),
            (Some(origin("http://evil.example")), false),
            (Some(origin("null")), false),
            (Some(site("cross-site")), false),
            (Some(site("same-site")), false),
        ] {
            let host = (HOST, "localhost:9543");
            let headers: Vec<_> = std::iter::once(host).chain(header).collect();
            let of = |method| check(&request(method, &headers), &hosts);
            assert_eq!(of(&Method::POST).is_ok(), served, "{headers:?}");
            of(&Method::GET).expect("it changes nothing, and the page cannot read the response");
        }
    }
}

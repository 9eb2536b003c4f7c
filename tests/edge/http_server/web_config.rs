//! TLS and users, as a web configuration file says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Folder;
use crate::support::net::{Client, End, Gateway, Reply, Upstream, get, request, whole};

const PLAIN: &str = "up 1\n";
const GET: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// Of `U*U`: a vector that comes with the C library's bcrypt.
const HASH: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

/// Issues certificates.
struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Ca {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Ca(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key.
    fn issue(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        let uri = "spiffe://example/prometheus".try_into().expect("ASCII");
        params.subject_alt_names.push(SanType::URI(uri));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A client that trusts `ca`, and shows a certificate if it has one.
fn connector(ca: &Ca, shows: Option<&(String, String)>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(ca.pem().as_bytes()).expect("PEM");
    roots.add(root).expect("a CA");
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match shows {
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
            config.with_client_auth_cert(vec![certificate], key).expect("they belong together")
        }
        None => config.with_no_client_auth(),
    };
    TlsConnector::from(Arc::new(config))
}

async fn shake(
    connector: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await.expect("the gateway listens");
    connector.connect(ServerName::try_from("gateway.example").expect("a name"), tcp).await
}

/// What is answered over TLS. An error: there was no handshake. (A server refuses a client's
/// certificate after the client thinks that all is well.)
async fn ask(connector: &TlsConnector, address: SocketAddr, head: &str) -> Result<Reply, ()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = shake(connector, address).await.map_err(drop)?;
    stream.write_all(head.as_bytes()).await.map_err(drop)?;
    let mut first = [0];
    stream.read_exact(&mut first).await.map_err(drop)?;
    assert_eq!(first, *b"H");
    let mut client = Client::over(stream);
    Ok(client.reply(false).await)
}

async fn gateway(upstream: &Upstream, web: &Path, more: &str) -> Gateway {
    Gateway::start(&settings(upstream, web, more)).await
}

fn settings(upstream: &Upstream, web: &Path, more: &str) -> String {
    format!(
        "emit: old\ntargets: [{{name: kong, url: '{}'}}]\nweb: {{config_file: '{}'{more}}}\n",
        upstream.url(),
        web.display()
    )
}

fn refusals(reason: &str) -> String {
    format!("crossfade_http_refusals_total{{listener=\"data\",reason=\"{reason}\"}}")
}

#[tokio::test]
async fn scrapes_are_encrypted_and_plain_http_gets_an_error() {
    let (ca, folder) = (Ca::new(), Folder::new("tls"));
    let (certificate, key) = ca.issue(&["gateway.example"]);
    folder.write("server.crt", certificate);
    folder.write("server.key", key);
    let web = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n\
               http_server_config: {headers: {X-Frame-Options: deny}}\n";
    let web = folder.write("web.yaml", web);
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, &web, "").await;

    let connector = connector(&ca, None);
    let reply = ask(&connector, gateway.data, GET).await.expect("a handshake");
    assert_eq!((reply.status, reply.end, reply.text()), (200, End::Whole, PLAIN));
    assert_eq!(reply.header("x-frame-options"), Some("deny"));
    let healthy = ask(&connector, gateway.admin, &GET.replace("metrics", "-/healthy")).await;
    assert_eq!(healthy.expect("a handshake").status, 200);

    let plain = get(gateway.data, "/metrics").await;
    assert_eq!((plain.status, plain.text()), (400, "This port accepts only TLS: use https.\n"));
    // A client that trusts another CA hangs up.
    assert!(ask(&self::connector(&Ca::new(), None), gateway.data, GET).await.is_err());
    let metrics = ask(&connector, gateway.admin, GET).await.expect("a handshake");
    assert!(metrics.text().contains(&format!("{} 2\n", refusals("tls"))), "{}", metrics.text());
}

#[tokio::test]
async fn service_discovery_uses_the_scheme_of_the_listener() {
    let (ca, folder) = (Ca::new(), Folder::new("tls-sd"));
    let (certificate, key) = ca.issue(&["gateway.example"]);
    folder.write("server.crt", certificate);
    folder.write("server.key", key);
    let tls = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";
    let web = folder.write("web.yaml", tls);
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let scheme = |reply: &Reply| {
        let groups: serde_json::Value = serde_json::from_str(reply.text()).expect("JSON");
        groups[0]["labels"].get("__scheme__").map(ToString::to_string)
    };
    let sd = GET.replace("/metrics", "/sd");

    let encrypted = gateway(&upstream, &web, "").await;
    let reply = ask(&connector(&ca, None), encrypted.data, &sd).await.expect("a handshake");
    assert_eq!(scheme(&reply), Some("\"https\"".to_owned()), "{}", reply.text());
    // Whatever a proxy in between says: it is the connection that counts.
    let plain = Gateway::to(upstream.url()).await;
    for more in ["", "X-Forwarded-Proto: https\r\n"] {
        let head = sd.replace("Host: x\r\n", &format!("Host: x\r\n{more}"));
        assert_eq!(scheme(&request(plain.data, &head).await), None);
    }
    // The operator has the last word.
    let labelled = settings(&upstream, &web, "")
        .replace("{name: kong,", "{name: kong, labels: {__scheme__: http},");
    encrypted.reload(&labelled).await.expect("valid");
    let reply = ask(&connector(&ca, None), encrypted.data, &sd).await.expect("a handshake");
    assert_eq!(scheme(&reply), Some("\"http\"".to_owned()), "{}", reply.text());
}

#[tokio::test]
async fn a_truncated_body_is_truncated_under_tls_too() {
    let (ca, folder) = (Ca::new(), Folder::new("tls-cut"));
    let (certificate, key) = ca.issue(&["gateway.example"]);
    folder.write("server.crt", certificate);
    folder.write("server.key", key);
    let web = folder
        .write("web.yaml", "tls_server_config: {cert_file: server.crt, key_file: server.key}\n");
    let long = "up{a=\"b\"} 1\n".repeat(50_000);
    let answer = crate::support::net::ok(&format!("Content-Length: {}\r\n", long.len() + 1), &long);
    let upstream = Upstream::closing(answer).await;
    let gateway = gateway(&upstream, &web, "").await;
    for version in ["1.1", "1.0"] {
        let head = GET.replace("1.1", version);
        let reply = ask(&connector(&ca, None), gateway.data, &head).await.expect("a handshake");
        assert_eq!((reply.status, reply.end), (200, End::Cut), "HTTP/{version}");
    }
}

#[tokio::test]
async fn certificates_are_replaced_without_a_restart() {
    let (first, second, folder) = (Ca::new(), Ca::new(), Folder::new("rotation"));
    let issue = |ca: &Ca| {
        let (certificate, key) = ca.issue(&["gateway.example"]);
        folder.write("server.crt", certificate);
        folder.write("server.key", key);
    };
    issue(&first);
    let web = folder
        .write("web.yaml", "tls_server_config: {cert_file: server.crt, key_file: server.key}\n");
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, &web, "").await;
    let stays = shake(&connector(&first, None), gateway.data).await.expect("a handshake");

    // A certificate whose key is not there yet changes nothing.
    folder.write("server.crt", second.issue(&["gateway.example"]).0);
    let deadline = Duration::from_secs(20);
    let usable = "crossfade_web_config_last_read_successful";
    let reads = async |expected: &str, ca: &Ca| {
        loop {
            let reply = ask(&connector(ca, None), gateway.admin, GET).await.expect("a handshake");
            if reply.text().contains(&format!("\n{usable} {expected}\n")) {
                return;
            }
        }
    };
    tokio::time::timeout(deadline, reads("0", &first)).await.expect("it is noticed");

    issue(&second);
    let replaced =
        async { while ask(&connector(&second, None), gateway.data, GET).await.is_err() {} };
    tokio::time::timeout(deadline, replaced).await.expect("it is taken");
    reads("1", &second).await;
    assert!(ask(&connector(&first, None), gateway.data, GET).await.is_err());

    let mut stays = Client::over(stays);
    stays.send(GET).await;
    let reply = stays.reply(false).await;
    assert_eq!(reply.text(), PLAIN);
    assert_eq!(reply.header("connection"), Some("close"), "it was accepted by other rules");
}

#[tokio::test]
async fn client_certificates_are_required() {
    let (ca, folder) = (Ca::new(), Folder::new("mtls"));
    let (certificate, key) = ca.issue(&["gateway.example"]);
    folder.write("server.crt", certificate);
    folder.write("server.key", key);
    folder.write("ca.crt", ca.pem());
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let (named, other) = (ca.issue(&["prometheus.example"]), ca.issue(&["other.example"]));
    let foreign = Ca::new().issue(&["prometheus.example"]);
    for (more, without, named_in, other_in) in [
        ("client_auth_type: RequireAndVerifyClientCert", false, true, true),
        ("client_auth_type: VerifyClientCertIfGiven", true, true, true),
        (
            "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prometheus.example]",
            false,
            true,
            false,
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert, max_version: TLS12, \
             client_allowed_sans: ['spiffe://example/prometheus']",
            false,
            true,
            true,
        ),
    ] {
        let web = format!(
            "tls_server_config: {{cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, {more}}}\n"
        );
        let web = folder.write("web.yaml", web);
        let gateway = gateway(&upstream, &web, "").await;
        for (shows, expected) in [
            (None, without),
            (Some(&named), named_in),
            (Some(&other), other_in),
            (Some(&foreign), false),
        ] {
            let reply = ask(&connector(&ca, shows), gateway.data, GET).await;
            assert_eq!(
                reply.is_ok_and(|reply| reply.status == 200),
                expected,
                "{more}: {}",
                shows.is_some()
            );
        }
    }
}

#[tokio::test]
async fn basic_authentication() {
    let folder = Folder::new("users");
    let web = folder.write("web.yaml", format!("basic_auth_users: {{alice: '{HASH}'}}\n"));
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let upstream = Upstream::scripted(move |mut exchange| {
        let heads = heads.clone();
        async move {
            exchange.send(whole(PLAIN)).await;
            heads.send(exchange.head.clone()).expect("the test listens");
        }
    })
    .await;
    let gateway = gateway(&upstream, &web, "").await;
    // alice:U*U and alice:wrong
    let with = |credentials: &str| GET.replace("\r\n\r\n", &format!("\r\n{credentials}\r\n\r\n"));
    let (right, wrong) = ("Basic YWxpY2U6VSpV", "Basic YWxpY2U6d3Jvbmc=");

    for _ in 0..2 {
        let reply = request(gateway.data, &with(&format!("Authorization: {right}"))).await;
        assert_eq!((reply.status, reply.text()), (200, PLAIN));
    }
    let head = seen.recv().await.expect("scraped");
    assert!(!head.to_lowercase().contains("authorization"), "{head}");

    for head in [
        GET.to_owned(),
        with(&format!("Authorization: {wrong}")),
        with(&format!("Proxy-Authorization: {right}")),
    ] {
        for address in [gateway.data, gateway.admin] {
            let reply = request(address, &head).await;
            assert_eq!(reply.status, 401, "{head}");
            assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"crossfade\""));
        }
    }
    // To a proxy, credentials go by another name.
    let absolute = |head: &str| head.replace("GET /", "GET http://kong:8100/");
    let reply = request(gateway.data, &absolute(&with(&format!("Authorization: {right}")))).await;
    assert_eq!(reply.status, 407);
    assert!(reply.header("proxy-authenticate").is_some());
    let reply =
        request(gateway.data, &absolute(&with(&format!("Proxy-Authorization: {right}")))).await;
    assert_ne!(reply.status, 407);

    let metrics = request(gateway.admin, &with(&format!("Authorization: {right}"))).await;
    assert!(
        metrics.text().contains(&format!("{} 4\n", refusals("unauthorized"))),
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn only_a_reload_disables_authentication() {
    let folder = Folder::new("emptied");
    let users = format!("basic_auth_users: {{alice: '{HASH}'}}\n");
    let web = folder.write("web.yaml", &users);
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, &web, "").await;
    let signed_in = GET.replace("\r\n\r\n", "\r\nAuthorization: Basic YWxpY2U6VSpV\r\n\r\n");
    // The files are checked once per second.
    let reads = async |expected: u8| {
        let line = format!("\ncrossfade_web_config_last_read_successful {expected}\n");
        let read =
            async { while !request(gateway.admin, &signed_in).await.text().contains(&line) {} };
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("it is noticed");
    };
    let (users_cut, only_users) = ("rate_limit: {interval: 1ms, burst: 100000}\n", users.clone());
    let users = format!("rate_limit: {{interval: 1ms, burst: 100000}}\n{users}");
    folder.write("web.yaml", &users);
    reads(1).await;
    // Emptied, cut within the list of users, without it, and without the rate.
    for text in ["", "basic_auth_users:\n", users_cut, &only_users] {
        folder.write("web.yaml", text);
        reads(0).await;
        for address in [gateway.data, gateway.admin] {
            assert_eq!(request(address, GET).await.status, 401, "{text:?}");
        }
        folder.write("web.yaml", &users);
        reads(1).await;
    }
    folder.write("web.yaml", "");
    let error = gateway.reload(&settings(&upstream, &web, "")).await.expect_err("it is empty");
    assert!(error.contains("web.yaml:1:1: the web configuration file is empty"), "{error}");
    folder.write("web.yaml", "{}");
    gateway.reload(&settings(&upstream, &web, "")).await.expect("valid");
    assert_eq!(request(gateway.data, GET).await.text(), PLAIN);
}

#[tokio::test]
async fn those_who_guess_passwords_keep_no_user_out() {
    let folder = Folder::new("guessers");
    let web = folder.write("web.yaml", format!("basic_auth_users: {{alice: '{HASH}'}}\n"));
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let gateway = gateway(&upstream, &web, "").await;
    let data = gateway.data;
    // alice:U*U and alice:wrong
    let with = |credentials: &str| {
        GET.replace("\r\n\r\n", &format!("\r\nAuthorization: Basic {credentials}\r\n\r\n"))
    };
    let (right, wrong) = (with("YWxpY2U6VSpV"), with("YWxpY2U6d3Jvbmc="));
    let from = async |address: [u8; 4], head: &str| {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((address, 0).into()).expect("a loopback address");
        let mut client = Client::over(socket.connect(data).await.expect("the gateway listens"));
        client.send(head).await;
        client.reply(false).await
    };
    let guesses = async || {
        let mut last = 401;
        while last == 401 {
            last = from([127, 0, 0, 2], &wrong).await.status;
        }
        last
    };
    let limited = tokio::time::timeout(Duration::from_secs(20), guesses()).await;
    assert_eq!(limited, Ok(429));
    let refused = from([127, 0, 0, 2], &right).await;
    assert_eq!(refused.text(), "Too many wrong passwords were sent from this address.\n");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(from([127, 0, 0, 1], &right).await.text(), PLAIN);
    // She is remembered now, also by the file that a reload reads.
    gateway.reload(&settings(&upstream, &web, "")).await.expect("valid");
    assert_eq!(from([127, 0, 0, 2], &wrong).await.status, 429);
    assert_eq!(from([127, 0, 0, 2], &right).await.text(), PLAIN);
}

#[tokio::test]
async fn a_reload_enables_tls_and_users_on_open_connections() {
    let (ca, folder) = (Ca::new(), Folder::new("turned-on"));
    let (certificate, key) = ca.issue(&["gateway.example"]);
    folder.write("server.crt", certificate);
    folder.write("server.key", key);
    let upstream = Upstream::answering(whole(PLAIN)).await;
    let open = format!("emit: old\ntargets: [{{name: kong, url: '{}'}}]\n", upstream.url());
    let gateway = Gateway::start(&open).await;
    let mut client = Client::connect(gateway.data).await;
    client.send(GET).await;
    assert_eq!(client.reply(false).await.text(), PLAIN);

    let bad = folder.write("bad.yaml", "basic_auth_users: {alice: secret}\n");
    let error = gateway.reload(&settings(&upstream, &bad, "")).await.expect_err("no hash");
    let expected = "bad.yaml:1:27: alice: the password is not a bcrypt hash";
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains("secret"), "{error}");

    let web = folder.write(
        "web.yaml",
        format!(
            "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\nbasic_auth_users: {{alice: '{HASH}'}}\n"
        ),
    );
    gateway.reload(&settings(&upstream, &web, "")).await.expect("valid");
    client.send(GET).await;
    let reply = client.reply(false).await;
    assert_eq!((reply.status, reply.header("connection")), (401, Some("close")));
    assert!(client.is_closed().await);
    let reply = ask(&connector(&ca, None), gateway.data, GET).await.expect("a handshake");
    assert_eq!(reply.status, 401);
}

//! Targets, of which not all behave.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How a target responds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As it should.
    Good,
    /// As it should, with a large body.
    Large,
    /// As it should, over TLS, with a connection for each scrape.
    Encrypted,
    /// It closes the connection in the middle of the body.
    Cut,
    /// It pauses after each sixteenth of the body.
    Slow,
}

impl Behaviour {
    pub(crate) const ALL: [Behaviour; 5] =
        [Behaviour::Good, Behaviour::Large, Behaviour::Encrypted, Behaviour::Cut, Behaviour::Slow];

    /// The name of the target.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Behaviour::Good => "good",
            Behaviour::Large => "large",
            Behaviour::Encrypted => "encrypted",
            Behaviour::Cut => "cut",
            Behaviour::Slow => "slow",
        }
    }
}

/// The certificate of the encrypted target.
pub(crate) struct Certificate {
    /// What the gateway has to trust.
    pub(crate) pem: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    pub(crate) fn new() -> Result<Certificate, Box<dyn std::error::Error>> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        Ok(Certificate { pem: made.cert.pem(), config: Arc::new(config) })
    }
}

/// Serves the body on the port, with a thread for each connection.
pub(crate) fn serve(
    port: u16,
    behaviour: Behaviour,
    body: Arc<[u8]>,
    certificate: &Certificate,
) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let config = Arc::clone(&certificate.config);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (body, config) = (Arc::clone(&body), Arc::clone(&config));
            // The gateway may close the connection at any time.
            thread::spawn(move || {
                if behaviour != Behaviour::Encrypted {
                    return respond(&mut stream, behaviour, &body);
                }
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(connection, stream);
                respond(&mut stream, behaviour, &body)?;
                stream.conn.send_close_notify();
                stream.flush()
            });
        }
    });
    Ok(())
}

/// Responds to each request of a connection.
fn respond(stream: &mut (impl Read + Write), behaviour: Behaviour, body: &[u8]) -> io::Result<()> {
    let connection = if behaviour == Behaviour::Encrypted { "close" } else { "keep-alive" };
    while has_request(stream)? {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: {connection}\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        match behaviour {
            Behaviour::Good | Behaviour::Large => stream.write_all(body)?,
            Behaviour::Encrypted => return stream.write_all(body),
            Behaviour::Cut => return stream.write_all(&body[..body.len() / 2]),
            Behaviour::Slow => {
                for part in body.chunks(body.len().div_ceil(16)) {
                    stream.write_all(part)?;
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }
    Ok(())
}

/// Reads one request, which has no body. False: the connection is closed.
fn has_request(stream: &mut impl Read) -> io::Result<bool> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(false);
        }
        request.extend_from_slice(&buffer[..read]);
    }
    Ok(true)
}

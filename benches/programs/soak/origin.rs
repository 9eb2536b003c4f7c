//! Targets, of which only one behaves.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// How a target responds.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// As it should.
    Good,
    /// It closes the connection in the middle of the body.
    Cut,
    /// It pauses after each sixteenth of the body.
    Slow,
}

impl Behaviour {
    pub(crate) const ALL: [Behaviour; 3] = [Behaviour::Good, Behaviour::Cut, Behaviour::Slow];

    /// The name of the target.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Behaviour::Good => "good",
            Behaviour::Cut => "cut",
            Behaviour::Slow => "slow",
        }
    }
}

/// Serves the body on the port, with a thread for each connection.
pub(crate) fn serve(port: u16, behaviour: Behaviour, body: Vec<u8>) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = body.clone();
            // The gateway may close the connection at any time.
            thread::spawn(move || respond(stream, behaviour, &body));
        }
    });
    Ok(())
}

/// Responds to each request of a connection.
fn respond(mut stream: TcpStream, behaviour: Behaviour, body: &[u8]) -> io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        match behaviour {
            Behaviour::Good => stream.write_all(body)?,
            Behaviour::Cut => return stream.write_all(&body[..body.len() / 2]),
            Behaviour::Slow => {
                for part in body.chunks(body.len().div_ceil(16)) {
                    stream.write_all(part)?;
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }
}

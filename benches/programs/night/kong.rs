//! The nodes of Kong, as one server with a path for each.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::page::Pages;
use super::plan::{Plan, TICK, Version};
use super::traffic::Moment;

/// What a node shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// That of the version which it has now.
    Live,
    /// Always that of one version, for the same traffic.
    Always(Version),
}

impl Shape {
    const ALL: [(&str, Shape); 3] = [
        ("live", Shape::Live),
        ("2.8", Shape::Always(Version::Kong28)),
        ("3.9", Shape::Always(Version::Kong39)),
    ];

    fn name(self) -> &'static str {
        let found = Shape::ALL.iter().find(|(_, shape)| *shape == self);
        found.expect("only these are made").0
    }

    /// The path of a node in this shape.
    pub(crate) fn path(self, node: usize) -> String {
        format!("/{node}/{}", self.name())
    }
}

/// All nodes.
pub(crate) struct Kong {
    pages: Pages,
    plan: Arc<Plan>,
    began: OnceLock<Instant>,
}

impl Kong {
    /// Nodes whose traffic stands still until [`begin`](Self::begin).
    pub(crate) fn new(pages: Pages, plan: Arc<Plan>) -> Kong {
        Kong { pages, plan, began: OnceLock::new() }
    }

    /// Lets tick 0 begin.
    pub(crate) fn begin(&self) {
        self.began.get_or_init(Instant::now);
    }

    /// The time since then.
    fn elapsed(&self) -> Duration {
        self.began.get().map(Instant::elapsed).unwrap_or_default()
    }

    /// The tick that has begun.
    pub(crate) fn tick(&self) -> u64 {
        self.elapsed().as_secs() / TICK.as_secs()
    }

    /// Waits until a tick begins.
    pub(crate) fn wait_for(&self, tick: u64) {
        let at = TICK * u32::try_from(tick).expect("a night has fewer ticks");
        thread::sleep(at.saturating_sub(self.elapsed()));
    }

    /// The page of a path. None while the node is being replaced.
    fn page(&self, path: &str) -> Option<String> {
        let (node, shape) = path.strip_prefix('/')?.split_once('/')?;
        let node = node.parse().ok()?;
        let (_, shape) = *Shape::ALL.iter().find(|(name, _)| *name == shape)?;
        let tick = self.tick();
        let pod = self.plan.pod(node, tick)?;
        let version = match shape {
            Shape::Live => pod.version,
            Shape::Always(version) => version,
        };
        Some(self.pages.render(version, &Moment { node, pod, tick }))
    }

    /// Serves all nodes, with a thread for each connection, and returns the port.
    pub(crate) fn serve(self: &Arc<Kong>) -> io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let kong = Arc::clone(self);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kong = Arc::clone(&kong);
                // A client may disconnect at any time.
                thread::spawn(move || kong.respond(stream));
            }
        });
        Ok(port)
    }

    /// Responds to each request of a connection. A node that is being replaced closes it.
    fn respond(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut requests = BufReader::new(stream.try_clone()?);
        loop {
            let (mut request, mut line) = (String::new(), String::new());
            requests.read_line(&mut request)?;
            while line != "\r\n" {
                line.clear();
                if requests.read_line(&mut line)? == 0 {
                    return Ok(());
                }
            }
            let Some(page) = self.page(request.split(' ').nth(1).unwrap_or_default()) else {
                return Ok(());
            };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n\
                 Content-Length: {}\r\n\r\n{page}",
                page.len()
            )?;
        }
    }
}

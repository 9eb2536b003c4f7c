//! The gateway with simulated Kong 2.8 and 3.9 nodes, in one process.
//!
//! ```text
//! Traffic ──> StandIn kong-2 (2.8) ────────────┐
//!    ├──────> StandIn kong-3 (3.9) ────────────┤
//!    └──────> StandIn kong (2.8, later 3.9) ───┴──> App ──> Prometheus
//!             Statsd (plugin) ─────────────────────> App ──> Statsd (server)
//! ```
//!
//! The traffic of one shop is counted once and exported in both generations, so all differences are
//! differences of the generations. The gateway is the one that `serve` runs, with a settings file
//! that an operator could write.

mod counters;
#[cfg(test)]
mod genuine;
mod node;
mod page;
mod render;
mod rng;
mod screen;
mod stand_in;
mod statsd;
mod traffic;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use hyper::StatusCode;
use tokio::time::MissedTickBehavior;

use crate::app::{self, App};
use crate::config;
use crate::http_client::{Client, Request, Timeouts};
use crate::http_server::Workers;
use crate::relay::ListenAddress;
use crate::scrape::HttpSettings;
use crate::shutdown::Shutdown;
use stand_in::{LiveTraffic, StandIn, Version};
use statsd::Statsd;
use traffic::Traffic;

/// The default port. The next three ports are for the admin listener and the simulated nodes.
pub const DEFAULT_PORT: u16 = 9542;

/// The largest port that is followed by three more.
pub const MAX_PORT: u16 = u16::MAX - 3;

/// Time of traffic that is simulated before the demo starts, so that counters are not 0.
const OPEN_SINCE: Duration = Duration::from_secs(3600);

/// The time limit for a page of the demo.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a page of the demo.
const MAX_BYTES: usize = 1 << 24;

/// Targets of the gateway: name, index of the node, emitted generation, description.
const TARGETS: [(&str, usize, &str, &str); 4] = [
    ("kong-2", 0, "old", "Kong 2.8 unchanged"),
    ("kong-3", 1, "old", "Kong 3.9 as 2.x"),
    ("kong-2-upgraded", 0, "new", "Kong 2.8 as 3.x"),
    ("kong", UPGRADED, "old", "2.8, then 3.9, as 2.x"),
];

/// The index of the node that is upgraded while the demo runs.
const UPGRADED: usize = 2;

/// How many rows the table of the upgrade has before it and from it on. After the last one, scrapes
/// continue, so that the numbers of the status page do.
const ROWS: std::ops::Range<u32> = 5..10;

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port is not available.
    #[error(
        "cannot listen on 127.0.0.1:{port}: {error}; give another --port (it and the next three \
         ports are used), or 0 for free ports"
    )]
    Bind {
        /// The port.
        port: u16,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The gateway did not start.
    #[error(transparent)]
    App(#[from] app::Error),
    /// A page of the demo cannot be scraped.
    #[error("cannot scrape {url}: {error}")]
    Scrape {
        /// The page.
        url: String,
        /// The reason.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// `StatsD` datagrams cannot be sent or do not arrive.
    #[error("cannot send StatsD through the gateway")]
    Statsd(#[source] io::Error),
}

/// The ports to use, all on the loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// [`DEFAULT_PORT`] and the next three. A free port replaces each port that is in use. The node that
    /// is upgraded always has a free port.
    Preferred,
    /// This port, at most [`MAX_PORT`], and the next three.
    From(u16),
    /// Any free ports.
    Free,
}

impl Ports {
    /// The `index`th port; 0 for any.
    fn port(self, index: u16) -> u16 {
        match self {
            Ports::Free => 0,
            Ports::From(first) => first.saturating_add(index),
            Ports::Preferred => {
                let port = DEFAULT_PORT + index;
                TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port)
            }
        }
    }
}

/// A demo that listens on its ports.
#[derive(Debug)]
pub struct Demo {
    app: App,
    stand_ins: [StandIn; 3],
    statsd: Statsd,
}

impl Demo {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// A requested port is in use.
    ///
    /// # Panics
    ///
    /// Never: the settings are constant, and a test starts the demo with them.
    pub async fn bind(ports: Ports) -> Result<Demo, Error> {
        let stand_in =
            async |port| StandIn::bind(port).await.map_err(|error| Error::Bind { port, error });
        let of_ports = [stand_in(ports.port(2)).await?, stand_in(ports.port(3)).await?];
        let [old, new] = of_ports;
        let stand_ins = [old, new, stand_in(0).await?];
        let mut settings = format!(
            "web: {{ listen_address: '127.0.0.1:{}' }}\nadmin: {{ listen_address: '127.0.0.1:{}' }}\ntargets:\n",
            ports.port(0),
            ports.port(1),
        );
        for (name, stand_in, emit, _) in TARGETS {
            let url = stand_ins[stand_in].url();
            writeln!(settings, "  - {{ name: {name}, emit: {emit}, url: '{url}' }}")
                .expect("a String takes whatever is written to it");
        }
        let statsd = Statsd::bind().await.map_err(Error::Statsd)?;
        let server = statsd.server().map_err(Error::Statsd)?;
        writeln!(
            settings,
            "statsd: {{ emit: old, pack_bytes: 0, listen: [{{ address: 'udp://127.0.0.1:0' }}], \
             forward: [{{ address: 'udp://{server}' }}] }}",
        )
        .expect("a String takes whatever is written to it");
        let settings = config::parse("demo settings", &settings)
            .into_settings()
            .expect("the settings of the demo are valid");
        let app = App::bind(settings).await.map_err(|error| match error {
            // The demo has a flag, not the setting that this error names.
            app::Error::Bind { address, error, .. } => Error::Bind { port: address.port(), error },
            error => Error::App(error),
        })?;
        Ok(Demo { app, stand_ins, statsd })
    }

    /// Runs until `shutdown` drains. Calls `show` with the screen when all parts respond, and then
    /// with each row of the table of an upgrade, once per `interval`. For a terminal, texts have escape
    /// sequences, and the last row is updated.
    ///
    /// # Errors
    ///
    /// The simulated nodes or the gateway do not respond.
    ///
    /// # Panics
    ///
    /// Never: the settings are those of [`bind`](Self::bind).
    pub async fn run(
        self,
        shutdown: &Shutdown,
        is_terminal: bool,
        interval: Duration,
        show: impl Fn(&str),
    ) -> Result<(), Error> {
        let Demo { app, stand_ins, statsd } = self;
        let udp = |address| match address {
            ListenAddress::Udp(address) => Some(address),
            _ => None,
        };
        let mut listeners = app.statsd_addresses().into_iter();
        let relay = listeners.find_map(udp).expect("the settings of the demo have a UDP listener");
        let places = places(&stand_ins, app.data_addr(), app.admin_addr());
        let mut traffic = Traffic::new(0x5eed);
        traffic.step(OPEN_SINCE);
        let traffic = LiveTraffic::new(traffic);
        let [old, new, upgraded] = stand_ins;
        let version = Version::old();
        let guide = async {
            let pages = screen::Pages {
                kong_3: fetch(&places.stand_ins[1]).await?,
                old_of_kong_2: fetch(&places.targets[0].0).await?,
                old_of_kong_3: fetch(&places.targets[1].0).await?,
                statsd: statsd.exchange(relay).await.map_err(Error::Statsd)?,
            };
            show(&screen::screen(&places, &pages, is_terminal));
            let statsd = async { statsd.go_on(relay).await.map_err(Error::Statsd) };
            let scrapes = scrape(&places, &version, interval, is_terminal, &show);
            tokio::try_join!(statsd, scrapes).map(|_: (Infallible, Infallible)| ())
        };
        let workers = Workers::here();
        tokio::select! {
            never = old.serve(traffic.clone(), Version::old()) => match never {},
            never = new.serve(traffic.clone(), Version::new()) => match never {},
            never = upgraded.serve(traffic, version.clone()) => match never {},
            failed = guide => failed,
            () = app.run(&workers, shutdown) => Ok(()),
        }
    }
}

/// Scrapes all targets as Prometheus does, and shows an upgrade.
async fn scrape(
    places: &screen::Places,
    version: &Version,
    interval: Duration,
    is_terminal: bool,
    show: &impl Fn(&str),
) -> Result<Infallible, Error> {
    let mut due = tokio::time::interval(interval.max(Duration::from_millis(1)));
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let [others @ .., (target, _)] = &places.targets;
    for number in 1_u32.. {
        due.tick().await;
        if number == ROWS.start + 1 {
            version.upgrade();
            show(&screen::upgrade(is_terminal));
        }
        let row = screen::Row {
            number,
            version: version.as_str(),
            exported: &fetch(&places.stand_ins[UPGRADED]).await?,
            scraped: &fetch(target).await?,
        };
        if number <= ROWS.end {
            show(&row.to_string());
        } else if is_terminal {
            show(&screen::instead(&row));
        }
        for (url, _) in others {
            fetch(url).await?;
        }
    }
    // After four thousand million scrapes.
    std::future::pending().await
}

fn places(stand_ins: &[StandIn; 3], data: SocketAddr, admin: SocketAddr) -> screen::Places {
    screen::Places {
        stand_ins: stand_ins.each_ref().map(StandIn::url),
        targets: TARGETS
            .map(|(name, _, _, what)| (format!("http://{data}/targets/{name}/metrics"), what)),
        admin: format!("http://{admin}/"),
    }
}

/// Requests a page of the demo.
async fn fetch(url: &str) -> Result<String, Error> {
    let page = async {
        let timeouts = Timeouts { exchange: TIMEOUT, idle: TIMEOUT };
        let client = Client::new(url.parse()?, HttpSettings::default(), timeouts)?;
        let response = client.send(Request::base()).await?;
        let status = response.status();
        let text = String::from_utf8(response.whole(MAX_BYTES).await?.into())?;
        match status {
            StatusCode::OK => Ok(text),
            _ => Err(format!("the response is {status}: {text}").into()),
        }
    };
    page.await.map_err(|error| Error::Scrape { url: url.to_owned(), error })
}

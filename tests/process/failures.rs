//! Failures of targets and clients, each repeated until a leak would be measurable.

#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "a body is built line by line, as it reads"
)]

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::net::{Authority, Client, End, Folder, Refusing, Reply, Upstream};
use crate::support::net::{chunked, get, ok, request, whole};
use crate::support::process::Process;
use crate::{SOON, metric, reaches};

/// A valid exposition.
pub(crate) const PLAIN: &str = "# TYPE up gauge\nup 1\n";

/// Scrapes or clients at the same time.
const AT_ONCE: usize = 50;

/// Connections that the gateway accepts at the same time.
const MOST_CONNECTIONS: usize = 500;

/// One kind of failure.
pub(crate) struct Failure {
    pub(crate) name: &'static str,
    /// Repetitions per call of [`Failure::happen`].
    times: usize,
    kind: Kind,
    /// The counter that must increase.
    counter: String,
}

enum Kind {
    /// A scrape of a target fails, and the client gets an error.
    Target { path: String, expected: Expected },
    /// A client misbehaves.
    Client(Misbehaviour),
}

/// What a client must get.
#[derive(Clone, Copy)]
enum Expected {
    /// This status, and a complete response with the reason.
    Status(u16),
    /// An error status, or a cut response: never a partial response that looks complete.
    NothingWhole,
}

#[derive(Clone, Copy)]
enum Misbehaviour {
    TricklesItsHead,
    TakesNothing,
    GoesAway,
    Waits,
    SendsGarbage,
    HasALongHead,
}

/// Targets that misbehave, one per failure, and the upstreams that they need.
pub(crate) struct Targets {
    settings: String,
    failures: Vec<Failure>,
    upstreams: Vec<Upstream>,
    #[expect(dead_code, reason = "its port stays taken")]
    refusing: Refusing,
    folder: Folder,
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("a Vec takes everything");
    encoder.finish().expect("a Vec takes everything")
}

/// Samples, the bytes of a body.
fn samples(count: usize) -> String {
    (0..count).map(|n| format!("up{{n=\"{n}\"}} {n}\n")).collect()
}

fn refusals(reason: &str) -> String {
    format!("crossfade_http_refusals_total{{listener=\"data\",reason=\"{reason}\"}}")
}

fn outcome(target: &str, outcome: &str) -> String {
    format!("crossfade_scrapes_total{{outcome=\"{outcome}\",target=\"{target}\"}}")
}

impl Targets {
    /// All of them.
    pub(crate) async fn start() -> Targets {
        let refusing = Refusing::new();
        let refusing_url = refusing.url();
        let mut targets = Targets {
            settings: String::new(),
            failures: Vec::new(),
            upstreams: Vec::new(),
            refusing,
            folder: Folder::new("failures"),
        };
        targets.add("refuses", &refusing_url, "", 400, Expected::Status(502), "connect");
        targets.answering().await;
        targets.talking().await;
        targets.encrypting().await;
        targets.leading_away().await;
        targets.clients();
        // Larger than all buffers between target and client.
        let large = Upstream::closing(ok("", samples(1_000_000))).await;
        targets.target("never-read", &large.url(), "");
        targets.target("left-alone", &large.url(), "");
        let good = format!("Connection: close\r\nContent-Length: {}\r\n", PLAIN.len());
        let good = Upstream::closing(ok(&good, PLAIN)).await;
        targets.target("good", &good.url(), "");
        targets.upstreams.extend([large, good]);
        targets
    }

    /// The settings file: limits, and a target for each failure.
    pub(crate) fn settings(&self) -> String {
        format!(
            "emit: old\nlimits: {{line_bytes: 1MiB, body_bytes: 32MiB, held_series: 20000}}\n\
             web: {{max_connections: {MOST_CONNECTIONS}, header_timeout: 500ms, write_timeout: 500ms}}\n{}",
            self.settings
        )
    }

    pub(crate) fn failures(&self) -> &[Failure] {
        &self.failures
    }

    fn target(&mut self, name: &str, url: &str, more: &str) {
        if !self.settings.contains("targets:\n") {
            self.settings.push_str("targets:\n");
        }
        self.settings.push_str(&format!("- {{name: {name}, url: '{url}'{more}}}\n"));
    }

    fn add(
        &mut self,
        name: &'static str,
        url: &str,
        more: &str,
        times: usize,
        expected: Expected,
        how: &str,
    ) {
        self.target(name, url, more);
        let kind = Kind::Target { path: format!("/targets/{name}/metrics"), expected };
        self.failures.push(Failure { name, times, kind, counter: outcome(name, how) });
    }

    /// Targets that give the same wrong answer each time.
    async fn answering(&mut self) {
        use Expected::{NothingWhole, Status};
        let body = samples(10_000);
        let sized = |length: usize| format!("Content-Length: {length}\r\n");
        let bomb = gzip("up 1\n".repeat(12_000_000).as_bytes());
        let held: String = (0..30_000)
            .map(|n| format!("kong_http_requests_total{{service=\"s{n}\",route=\"r\",code=\"200\",source=\"service\",consumer=\"\"}} 1\n"))
            .collect();
        let html = "<html>\n<body>502 Bad Gateway</body>\n</html>\n";
        let answers = [
            ("cut-mid-line", ok("", &body.as_bytes()[..body.len() - 3]), 100, NothingWhole, "cut"),
            (
                "cut-mid-chunk",
                ok("Transfer-Encoding: chunked\r\n", format!("fffff\r\n{body}")),
                100,
                NothingWhole,
                "cut",
            ),
            ("too-little", ok(&sized(body.len() + 1), &body), 100, NothingWhole, "cut"),
            ("too-much", ok(&sized(5), "up 1\nup 2\n"), 400, Status(502), "overlong"),
            (
                "bad-chunk-size",
                ok("Transfer-Encoding: chunked\r\n", "-5\r\nup 1\n\r\n"),
                400,
                Status(502),
                "cut",
            ),
            (
                "huge-chunk-size",
                ok("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nup 1\n"),
                400,
                Status(502),
                "cut",
            ),
            (
                "interim-flood",
                b"HTTP/1.1 100 Continue\r\n\r\n".repeat(20_000),
                50,
                Status(502),
                "exchange",
            ),
            (
                "bomb",
                ok(&format!("Content-Encoding: gzip\r\n{}", sized(bomb.len())), &bomb),
                4,
                NothingWhole,
                "rewrite",
            ),
            (
                "truncated-gzip",
                ok("Content-Encoding: gzip\r\n", &gzip(body.as_bytes())[..10_000]),
                100,
                NothingWhole,
                "gzip",
            ),
            ("too-much-held", ok("", held), 10, Status(502), "rewrite"),
            ("html", ok("", html), 400, Status(502), "rewrite"),
            ("no-http", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), 400, Status(502), "exchange"),
            (
                "redirect-loop",
                b"HTTP/1.1 302 Found\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n".to_vec(),
                400,
                Status(502),
                "redirect",
            ),
        ];
        for (name, answer, times, expected, how) in answers {
            let upstream = Upstream::closing(answer).await;
            self.add(name, &upstream.url(), "", times, expected, how);
            self.upstreams.push(upstream);
        }
    }

    /// Targets that are slow or do not end their response.
    async fn talking(&mut self) {
        use Expected::{NothingWhole, Status};
        let silent = Upstream::scripted(|mut exchange| async move { exchange.closed().await });
        let trickling = Upstream::scripted(|mut exchange| async move {
            exchange.send(ok("", "")).await;
            while exchange.sends("#").await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let falling_silent = Upstream::scripted(|mut exchange| async move {
            exchange.send(chunked(&[&samples(10_000)])).await;
            exchange.closed().await;
        });
        let endless = Upstream::scripted(|mut exchange| async move {
            exchange.send(ok("", "up{a=\"")).await;
            let part = "x".repeat(1 << 20);
            let mut sent = 0;
            // Up to 1 GiB, as long as the gateway reads.
            while sent < 1 << 10 && exchange.sends(&part).await {
                sent += 1;
            }
        });
        for (name, upstream, times, expected, how) in [
            ("silent", silent.await, 100, Status(504), "timeout"),
            ("trickles", trickling.await, 100, Status(504), "timeout"),
            ("falls-silent", falling_silent.await, 50, NothingWhole, "timeout"),
            ("line-without-end", endless.await, 10, Status(502), "rewrite"),
        ] {
            self.add(name, &upstream.url(), "", times, expected, how);
            self.upstreams.push(upstream);
        }
    }

    /// Targets whose certificate is not valid.
    async fn encrypting(&mut self) {
        let ours = Authority::new("ours");
        let ca = self.folder.write("ca.pem", &ours.certificate());
        for (name, issued) in
            [("wrong-name", ours.issue("kong")), ("expired", ours.issue_expired("127.0.0.1"))]
        {
            let upstream = Upstream::secured(issued.acceptor(None), |mut exchange| async move {
                exchange.send(whole(PLAIN)).await;
            })
            .await;
            // An address, because resolving a name starts a thread that lives on for a while.
            let url = format!("https://{}/metrics", upstream.address);
            let tls = format!(", tls_config: {{ca_file: {ca}}}");
            self.add(name, &url, &tls, 50, Expected::Status(502), "tls");
            self.upstreams.push(upstream);
        }
    }

    /// A target on the allow-list that redirects to one that is not.
    async fn leading_away(&mut self) {
        let secret = Upstream::closing(whole(PLAIN)).await;
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            secret.url()
        );
        let upstream = Upstream::closing(answer).await;
        let port = upstream.address.port();
        self.settings = format!("allow: [{{cidr: 127.0.0.1, ports: [{port}]}}]\n{}", self.settings);
        let probe = |address: SocketAddr| format!("/probe?target={address}");
        self.failures.push(Failure {
            name: "redirect off the list",
            times: 400,
            kind: Kind::Target { path: probe(upstream.address), expected: Expected::Status(502) },
            counter: outcome("(probe)", "redirect"),
        });
        self.failures.push(Failure {
            name: "not on the list",
            times: 400,
            kind: Kind::Target { path: probe(secret.address), expected: Expected::Status(403) },
            counter: "crossfade_refused_requests_total{reason=\"not_allowed\"}".to_owned(),
        });
        self.upstreams.extend([upstream, secret]);
    }

    fn clients(&mut self) {
        use Misbehaviour::{
            GoesAway, HasALongHead, SendsGarbage, TakesNothing, TricklesItsHead, Waits,
        };
        for (name, times, misbehaviour, counter) in [
            ("slow loris", 200, TricklesItsHead, refusals("header_timeout")),
            ("takes nothing", 25, TakesNothing, refusals("write_timeout")),
            ("goes away", 100, GoesAway, outcome("left-alone", "client_gone")),
            ("waits", 1_000, Waits, refusals("made_room")),
            ("garbage", 400, SendsGarbage, refusals("malformed")),
            ("long head", 200, HasALongHead, refusals("header_bytes")),
        ] {
            self.failures.push(Failure { name, times, kind: Kind::Client(misbehaviour), counter });
        }
    }
}

/// Calls `what` with each number below `times`, [`AT_ONCE`] calls at a time.
async fn many<F>(times: usize, mut what: impl FnMut(usize) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..times {
        if tasks.len() == AT_ONCE {
            tasks.join_next().await.expect("there are some").expect("no panic");
        }
        tasks.spawn(what(number));
    }
    tasks.join_all().await;
}

impl Failure {
    /// Makes it happen, and checks the responses and the counter.
    pub(crate) async fn happen(&self, process: &Process) {
        let before = metric(process, &self.counter).await;
        let data = process.data;
        let all = async {
            match &self.kind {
                Kind::Target { path, expected } => {
                    let (name, path, expected) = (self.name, path.clone(), *expected);
                    many(self.times, move |number| {
                        // Different queries, so that no two clients share a scrape.
                        let more = if path.contains('?') { '&' } else { '?' };
                        let path = format!("{path}{more}number={number}");
                        async move { expected.check(name, &failing(data, &path).await) }
                    })
                    .await;
                }
                Kind::Client(Misbehaviour::Waits) => wait(data, self.times).await,
                Kind::Client(Misbehaviour::TakesNothing) => {
                    let mut stuck = Vec::new();
                    for number in 0..self.times {
                        stuck.push(begin(data, &format!("never-read/metrics?{number}")).await);
                    }
                    reaches(process, &self.counter, before + stuck.len() as u64).await;
                    for mut stream in stuck {
                        let mut rest = Vec::new();
                        stream.read_to_end(&mut rest).await.expect_err("a reset, not an end");
                    }
                }
                Kind::Client(misbehaviour) => {
                    let misbehaviour = *misbehaviour;
                    many(self.times, move |number| misbehaviour.once(data, number)).await;
                }
            }
        };
        let in_time = tokio::time::timeout(2 * SOON, all).await;
        assert!(in_time.is_ok(), "{}: not finished in time", self.name);
        let counted = match self.kind {
            // Those above the limit; the scrape is one more connection.
            Kind::Client(Misbehaviour::Waits) => self.times + 1 - MOST_CONNECTIONS,
            _ => self.times,
        };
        let counted = u64::try_from(counted).expect("few");
        println!("{} times {}", self.times, self.name);
        reaches(process, &self.counter, before + counted).await;
    }
}

/// A scrape that is expected to fail, with a short timeout where the target is slow.
async fn failing(data: SocketAddr, path: &str) -> Reply {
    let time = "X-Prometheus-Scrape-Timeout-Seconds: ";
    let seconds = if path.contains("silent") || path.contains("trickles") { "0.2" } else { "30" };
    request(data, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{time}{seconds}\r\n\r\n")).await
}

impl Expected {
    #[track_caller]
    fn check(self, name: &str, reply: &Reply) {
        match self {
            Expected::Status(status) => {
                assert_eq!((reply.status, reply.end), (status, End::Whole), "{name}: {reply:?}");
                assert!(reply.text().ends_with('\n') && reply.text().len() > 20, "{name}");
            }
            Expected::NothingWhole => {
                assert!(reply.status != 200 || reply.end == End::Cut, "{name}: {reply:?}");
            }
        }
    }
}

impl Misbehaviour {
    async fn once(self, data: SocketAddr, number: usize) {
        match self {
            Misbehaviour::TricklesItsHead => {
                let mut client = Client::connect(data).await;
                client.send("GET /targets/good/metrics HTTP/1.1\r\nHost: ").await;
                let reply = client.reply(false).await;
                assert_eq!((reply.status, reply.end), (408, End::Whole));
            }
            Misbehaviour::GoesAway => {
                drop(begin(data, &format!("left-alone/metrics?{number}")).await);
            }
            Misbehaviour::SendsGarbage => {
                let mut client = Client::connect(data).await;
                let good = "GET /targets/good/metrics HTTP/1.1\r\nHost: x\r\n\r\n";
                client.send(&format!("{good}\u{1}\u{2}\u{3} what is this\r\n\r\n{good}")).await;
                assert_eq!(client.reply(false).await.text(), PLAIN);
                assert_eq!(client.reply(false).await.status, 400);
                assert!(client.is_closed().await);
            }
            Misbehaviour::HasALongHead => {
                let long = "y".repeat(20_000);
                let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n");
                assert_eq!(request(data, &head).await.status, 431);
            }
            Misbehaviour::Waits | Misbehaviour::TakesNothing => unreachable!("they come together"),
        }
    }
}

/// A large response of which the first bytes have been read.
async fn begin(data: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(data).await.expect("a connection");
    let request = format!("GET /targets/{path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("taken");
    stream.read_exact(&mut [0; 1000]).await.expect("an answer begins");
    stream
}

/// Opens `count` idle connections. A new client must still get its response.
async fn wait(data: SocketAddr, count: usize) {
    let mut waiting = Vec::new();
    for _ in 0..count {
        waiting.push(TcpStream::connect(data).await.expect("a connection"));
    }
    let reply = get(data, "/targets/good/metrics").await;
    assert_eq!((reply.status, reply.text()), (200, PLAIN));
}

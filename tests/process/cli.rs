//! The commands, as a shell sees them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::net::{Upstream, get, whole};
use crate::support::process::Process;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(20);

const NEW: &str = concat!(
    "# TYPE kong_http_requests_total counter\n",
    "kong_http_requests_total{service=\"s\",route=\"r\",code=\"200\",source=\"service\",consumer=\"\"} 3\n",
    "kong_http_requests_total{service=\"s\",route=\"r\",code=\"200\",source=\"kong\",consumer=\"\"} 4\n",
);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that fails early does not read to the end.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[track_caller]
fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

#[track_caller]
fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// A file that is gone with its owner.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, text: &str) -> TempFile {
        let path = std::env::temp_dir().join(format!("crossfade-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a temporary file");
        TempFile(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("text")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

#[test]
fn rewrite_is_a_filter() {
    let output = run(&["rewrite", "--emit=old"], NEW);
    assert_eq!(output.status.code(), Some(0));
    let series = "kong_http_status{service=\"s\",route=\"r\",code=\"200\"} 7\n";
    assert!(stdout(&output).ends_with(series), "{}", stdout(&output));
    assert_eq!(stderr(&output), "");

    let same = run(&["rewrite", "--emit=new"], NEW);
    assert_eq!(stdout(&same), NEW, "what is emitted already stays as it is");
}

#[test]
fn rewrite_fills_labels_and_reports() {
    let output = run(
        &["rewrite", "--emit=new", "--fill", "node_id=n1", "--report"],
        "# TYPE kong_nginx_http_current_connections gauge\nkong_nginx_http_current_connections{state=\"active\"} 5\n",
    );
    assert_eq!(output.status.code(), Some(0));
    let series = stdout(&output);
    assert!(series.contains("kong_nginx_connections_total{"), "{series}");
    assert!(series.contains("node_id=\"n1\""), "{series}");
    let report = stderr(&output);
    assert!(report.starts_with("read 1 sample in "), "{report}");
    assert!(
        report.contains("         1          1  kong_nginx_http_current_connections"),
        "{report}"
    );
}

#[test]
fn rewrite_handles_malformed_lines_as_set() {
    let input = "up 1\nno value\nup{a=\"b\"} 2\n";
    let dropped = run(&["rewrite", "--emit=old", "--report"], input);
    assert_eq!(stdout(&dropped), "up 1\nup{a=\"b\"} 2\n");
    assert!(stderr(&dropped).contains("dropped\n         1 line: "), "{}", stderr(&dropped));
    let passed = run(&["rewrite", "--emit=old", "--malformed=pass"], input);
    assert_eq!(stdout(&passed), input);
    let failed = run(&["rewrite", "--emit=old", "--malformed=fail"], input);
    assert_eq!(failed.status.code(), Some(2));
    assert!(
        stderr(&failed).starts_with("crossfade: stdin: line 2 would fail the scrape"),
        "{}",
        stderr(&failed)
    );
}

#[test]
fn rewrite_of_input_without_samples_fails() {
    for (input, says) in [
        ("<html>\n<body>502 Bad Gateway</body>\n</html>\n", "an error message of the upstream"),
        ("# only comments\n", "no sample"),
        ("\n", "no sample"),
    ] {
        let output = run(&["rewrite", "--emit=old"], input);
        assert_eq!(output.status.code(), Some(2), "{input:?}");
        assert!(stderr(&output).starts_with("crossfade: stdin: "), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

#[test]
fn rewrite_of_an_empty_input_fails() {
    let empty = TempFile::new("empty.prom", "");
    for (arguments, message) in [
        (&["--emit=old"][..], "crossfade: stdin is empty; expected the metrics of Kong"),
        (&["--emit=old", "-"], "crossfade: stdin is empty; expected the metrics of Kong"),
        (&["--emit=old", "--statsd"], "crossfade: stdin is empty; expected StatsD lines"),
        (&["--emit=old", empty.path()], &format!("crossfade: {} is empty", empty.path())),
    ] {
        let output = run(&[&["rewrite"], arguments].concat(), "");
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}");
        assert!(stderr(&output).starts_with(message), "{}", stderr(&output));
    }
}

#[test]
fn rewrite_reads_files_and_urls() {
    let expected = run(&["rewrite", "--emit=old"], NEW);
    assert_eq!(expected.status.code(), Some(0));

    let file = TempFile::new("new.prom", NEW);
    let output = run(&["rewrite", "--emit=old", file.path()], "");
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), stdout(&expected)));

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/metrics", listener.local_addr().expect("bound"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = BufReader::new(stream.try_clone().expect("a socket"));
        let mut line = String::new();
        while request.read_line(&mut line).expect("a request") > 2 {
            line.clear();
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{NEW}", NEW.len())
            .expect("the client reads");
    });
    let output = run(&["rewrite", "--emit=old", &url], "");
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), stdout(&expected)));
    server.join().expect("no panic");

    let output = run(&["rewrite", "--emit=old", "/no/such/file"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot read /no/such/file"), "{}", stderr(&output));
}

#[test]
fn rewrite_accepts_packs() {
    let pack = TempFile::new("pack.yaml", "name: mine\nprometheus:\n  - old: a_b\n    new: a_c\n");
    let output =
        run(&["rewrite", "--emit=new", "--pack", pack.path()], "# TYPE a_b gauge\na_b 1\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "# TYPE a_c gauge\na_c 1\n");

    let pack = TempFile::new("bad.yaml", "name: mine\nprometheuss: []\n");
    let output = run(&["rewrite", "--emit=new", "--pack", pack.path()], "a_b 1\n");
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    let place = format!("{}:2:1: ", pack.path());
    assert!(stderr(&output).contains(&place), "{}", stderr(&output));
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let mut child = command(&["rewrite", "--emit=old"]).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdin.write_all(b"up 1\n").expect("it reads");
    let mut first = String::new();
    stdout.read_line(&mut first).expect("it writes before its input ends");
    assert_eq!(first, "up 1\n");
    drop(stdout);
    // Until it notices that its output is closed, and closes its input.
    let lines = |from: u32| (from..from + 10_000).map(|n| format!("up{{n=\"{n}\"}} 2\n"));
    let mut from = 0;
    while stdin.write_all(lines(from).collect::<Vec<_>>().concat().as_bytes()).is_ok() {
        from += 10_000;
    }
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[test]
fn rewrite_reads_statsd_lines() {
    let input = "kong.service.shop.status.200:1|c\nload:1|g";
    let output = run(&["rewrite", "--statsd", "--emit=old", "--report"], input);
    assert_eq!(output.status.code(), Some(0));
    let expected = "kong.shop.request.status.200:1|c\nkong.shop.request.status.total:1|c\nload:1|g";
    assert_eq!(stdout(&output), expected);
    let report = stderr(&output);
    assert!(report.starts_with("read 2 lines, wrote 3 lines\n"), "{report}");

    let output = run(&["rewrite", "--statsd", "--emit=both"], input);
    assert_eq!(stdout(&output), format!("kong.service.shop.status.200:1|c\n{expected}"));

    let output = run(
        &["rewrite", "--statsd", "--emit=new", "--statsd.prefix=acme.{x}", "--statsd.tags=librato"],
        "acme.eu.shop.latency:7|ms|@0.5\nkong.shop.latency:7|ms\n",
    );
    let expected = "acme.eu.latency#service=shop:7|ms|@0.5\nkong.shop.latency:7|ms\n";
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), expected));
}

#[test]
fn rewrite_fails_on_lines_that_are_not_statsd() {
    let output = run(&["rewrite", "--statsd", "--emit=old"], NEW);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), NEW));
    assert!(stderr(&output).contains("stdin: no line is a StatsD line"), "{}", stderr(&output));

    let input = format!("a:1|c\nb:{}|c\nc:1|c\n", "9".repeat(65_507));
    let output = run(&["rewrite", "--statsd", "--emit=old"], &input);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), "a:1|c\nc:1|c\n"));
    assert!(stderr(&output).contains("dropped 1 line longer"), "{}", stderr(&output));
}

#[test]
fn wrong_usage_exits_with_2() {
    let cases: [&[&str]; 13] = [
        &[],
        &["rewrite"],
        &["rewrite", "--emit=older"],
        &["rewrite", "--emit=old", "--fill=9=x"],
        &["rewrite", "--emit=old", "--buckets=all"],
        &["rewrite", "--emit=old", "--no-such-flag"],
        &["rewrite", "--emit=old", "--statsd", "--buckets=native"],
        &["rewrite", "--emit=old", "--statsd.tags=librato"],
        &["rewrite", "--emit=old", "--statsd.prefix=kong"],
        &["rewrite", "--emit=old", "--statsd", "--statsd.tags=graphite"],
        &["serve", "--target=kong:8100"],
        &["serve", "--web.listen-address=nowhere"],
        &["no-such-command"],
    ];
    for arguments in cases {
        let output = run(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn inputs_that_are_no_files_are_explained() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let gone = format!("http://{}", free.expect("a free port"));
    for (input, message) in [
        ("kong:8100/metrics", "there is no such file; for a URL, write http://kong:8100/metrics"),
        ("me:secret@kong:8100", "for a URL, write http://<secret>@kong:8100"),
        (&gone, "nothing listens at this host and port"),
    ] {
        for command in ["rewrite", "explain"] {
            let output = run(&[command, "--emit=old", input], "");
            assert!(stderr(&output).contains(message), "{}", stderr(&output));
        }
    }
}

#[test]
fn serve_refuses_invalid_settings() {
    let output = run(&["serve", "--emit=old"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nothing to do"), "{}", stderr(&output));

    let file = TempFile::new("settings.yaml", "emit: old\ntragets: []\n");
    let output = run(&["serve", "--config.file", file.path()], "");
    assert_eq!(output.status.code(), Some(2));
    let expected =
        format!("crossfade: {}:2:1: the settings file has no key `tragets`", file.path());
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));

    let output = run(&["serve", "--config.file=/no/such/file"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/no/such/file: cannot read"), "{}", stderr(&output));
}

/// A gateway in its own process, with a target that refuses connections.
fn serve(more: &[&str]) -> Process {
    Process::serve(&[&["--emit=old", "--target=http://127.0.0.1:9/metrics"], more].concat())
}

#[test]
fn serve_logs_its_addresses_and_stops_on_sigterm() {
    for format in ["--log.format=logfmt", "--log.format=json"] {
        let mut serving = serve(&[format]);
        let url = format!("http://{}/-/ready", serving.admin);
        let output = run(&["health", "--url", &url], "");
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{format}");

        serving.signal("TERM");
        let (code, log) = serving.ends_within(SOON);
        assert_eq!(code, Some(0), "{format}");
        assert!(log.contains("draining"), "{log}");
        let last = log.lines().last().unwrap_or_default();
        let expected = ["msg=stopped", "\"msg\":\"stopped\""];
        assert!(expected.iter().any(|it| last.contains(it)), "{last}");
    }
}

#[test]
fn lines_in_kernel_buffers_are_sent_after_sigterm() {
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    sink.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let settings = TempFile::new("relay.yaml", "statsd: { flush_interval: 1h }\n");
    let forward = format!("--statsd.forward=udp://{}", sink.local_addr().expect("bound"));
    let flags = ["--config.file", settings.path(), "--statsd.listen=udp://127.0.0.1:0", &forward];
    let mut serving = serve(&flags);
    for _ in 0..3 {
        let line = b"kong.service.shop.request.count:1|c";
        sink.send_to(line, serving.statsd("udp")).expect("sent");
    }
    serving.signal("TERM");
    assert_eq!(serving.ends_within(SOON).0, Some(0));
    let mut buffer = [0; 1024];
    let len = sink.recv(&mut buffer).expect("in one datagram");
    assert_eq!(buffer[..len], *["kong.shop.request.count:1|c"; 3].join("\n").as_bytes());
}

#[test]
fn serve_reloads_on_sighup_and_notifies_systemd() {
    let upstream = "http://127.0.0.1:9/metrics";
    let settings =
        TempFile::new("reload.yaml", &format!("targets: [{{name: a, url: '{upstream}'}}]\n"));
    let path = std::env::temp_dir().join(format!("crossfade-{}-notify", std::process::id()));
    let systemd = std::os::unix::net::UnixDatagram::bind(&path).expect("a new path");
    systemd.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a socket");
    let mut message = vec![0; 4096];
    let mut hears = |expected: &str| loop {
        let len = systemd.recv(&mut message).expect("a notification");
        let message = std::str::from_utf8(&message[..len]).expect("text");
        if message != "WATCHDOG=1\n" || expected == message {
            assert!(message.starts_with(expected), "{message}");
            return;
        }
    };

    let flags = [
        "serve",
        "--emit=old",
        "--config.file",
        settings.path(),
        "--web.listen-address=127.0.0.1:0",
        "--admin.listen-address=127.0.0.1:0",
    ];
    let mut command = command(&flags);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "2000000");
    let mut serving = Process::of(command);
    hears("READY=1\n");
    hears("WATCHDOG=1\n");
    std::fs::write(&settings.0, format!("targets: [{{name: b, url: '{upstream}'}}]\n"))
        .expect("writable");
    serving.signal("HUP");
    hears("RELOADING=1\nMONOTONIC_USEC=");
    hears("READY=1\n");
    // Flags still take precedence over the file.
    serving.logs(&["settings reloaded", "b http://127.0.0.1:9/metrics emit=old"]);

    std::fs::write(&settings.0, "tragets: []\n").expect("writable");
    serving.signal("HUP");
    hears("RELOADING=1\nMONOTONIC_USEC=");
    hears("READY=1\n");
    serving.logs(&["level=error", "has no key `tragets`"]);

    serving.signal("TERM");
    hears("STOPPING=1\n");
    assert_eq!(serving.ends_within(SOON).0, Some(0));
    std::fs::remove_file(path).expect("it is ours");
}

#[test]
fn health_accepts_the_certificate_of_the_gateway() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["gateway.example".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let indent = |pem: String| pem.replace('\n', "\n    ");
    // The password and its hash are a test vector of the C library's bcrypt.
    let web = format!(
        "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n\
         basic_auth_users: {{probe: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'}}\n",
        indent(certificate.pem()),
        indent(key.serialize_pem()),
    );
    let web = TempFile::new("web.yaml", &web);
    let password = TempFile::new("password", "U*U\n");
    let serving = serve(&["--web.config.file", web.path()]);
    let url = format!("https://{}/-/healthy", serving.admin);
    let health = |more: &[&str]| run(&[&["health", "--url", &url], more].concat(), "");

    let known = ["--web.config.file", web.path()];
    let user = ["--basic-auth.username=probe", "--basic-auth.password-file", password.path()];
    let output = health(&[&known[..], &user].concat());
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));

    // An error in the file does not affect health: the gateway keeps its previous configuration.
    let text = std::fs::read_to_string(&web.0).expect("text");
    std::fs::write(&web.0, format!("{text}rate_limit: {{interval: 1s}}\n")).expect("writable");
    let output = health(&[&known[..], &user].concat());
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    let settings = TempFile::new(
        "with-web.yaml",
        &format!(
            "emit: old\ntargets: [{{url: 'http://a/'}}]\nweb: {{config_file: {}}}\n",
            web.path()
        ),
    );
    let output = run(&["check", "config", settings.path()], "");
    assert_eq!(output.status.code(), Some(1));
    let message = format!("{}{}", stdout(&output), stderr(&output));
    assert!(message.contains("`rate_limit.burst` is 0"), "{message}");

    let output = health(&known);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("responded with status 401"), "{}", stderr(&output));
    let output = health(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--web.config.file"), "{}", stderr(&output));

    // A file without a certificate is named.
    let own = ["--tls.cert-file", password.path(), "--tls.key-file", password.path()];
    let output = health(&[&known[..], &own].concat());
    assert_eq!(output.status.code(), Some(2));
    let error = format!("{} has no certificate", password.path());
    assert!(stderr(&output).contains(&error), "{}", stderr(&output));
}

#[test]
fn health_fails_without_a_healthy_gateway() {
    let serving = serve(&[]);
    let missing = format!("http://{}/no/such/path", serving.admin);
    let output = run(&["health", "--url", &missing], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("responded with status 404"), "{}", stderr(&output));

    // The port of a gateway that is gone.
    let gone = format!("http://{}/-/healthy", serving.admin);
    drop(serving);
    let output = run(&["health", "--url", &gone], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no response from"), "{}", stderr(&output));
}

#[test]
fn an_edition_that_no_pack_has_is_an_error() {
    for arguments in [
        &["rewrite", "--emit=3.1"][..],
        &["rewrite", "--statsd", "--emit=3.1"],
        &["explain", "--emit=3.1", "-"],
        &["serve", "--emit=3.1", "--target=http://127.0.0.1:9/metrics"],
        &["audit", "--emit=3.1", "tests/audit"],
        &["audit", "--to=3.1", "tests/audit"],
    ] {
        let output = run(arguments, NEW);
        assert!(!output.status.success(), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("no pack has the edition `3.1`"), "{arguments:?}: {text}");
        assert!(text.contains("`2.5`, `2.8`, `3.0` and `3.9`"), "{arguments:?}: {text}");
    }
    let output = run(&["rewrite", "--emit=older"], NEW);
    assert!(stderr(&output).contains("expected one of: old, new, both, or an edition"));
    let output = run(&["rewrite", "--emit=oldd"], NEW);
    assert!(stderr(&output).contains("; did you mean `old`?"), "{}", stderr(&output));
}

#[test]
fn an_edition_in_the_settings_is_checked_where_it_is_written() {
    let text = "emit: new\ntargets:\n- { url: 'http://a/', emit: 2.9 }\n";
    let file = TempFile::new("edition.yaml", text);
    for arguments in
        [&["check", "config", file.path()][..], &["serve", "--config.file", file.path()]]
    {
        let output = run(arguments, "");
        assert!(!output.status.success());
        let text = [stdout(&output), stderr(&output)].concat();
        assert!(text.contains(":3:29"), "{text}");
        assert!(text.contains("no pack has the edition `2.9`"), "{text}");
        assert!(
            text.contains("did you mean `2.5`?") || text.contains("did you mean `2.8`?"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_mix_of_editions_is_logged_once() {
    let histogram = |boundaries: &str| {
        let buckets = boundaries.split(' ');
        let buckets = buckets.map(|le| format!("kong_kong_latency_ms_bucket{{le=\"{le}\"}} 1\n"));
        whole(format!("# TYPE kong_kong_latency_ms histogram\n{}", buckets.collect::<String>()))
    };
    let older = Upstream::answering(histogram("750 1000 +Inf")).await;
    let newer = Upstream::answering(histogram("750 1000 3000 6000 +Inf")).await;
    let (older, newer) = (format!("a={}", older.url()), format!("b={}", newer.url()));
    let process = Process::serve(&["--emit=new", "--target", &older, "--target", &newer]);
    for name in ["a", "b", "a", "b"] {
        let reply = get(process.data, &format!("/targets/{name}/metrics")).await;
        assert_eq!(reply.status, 200);
    }
    let line = process.logs(&["targets emit different editions"]);
    let fields = "generation=new editions=\"3.0 (a), 3.9 (b)\" remedy=\"emit: 3.0\"";
    assert!(line.contains("level=warn") && line.contains(fields), "{line}");
    assert!(!line.contains("target="), "{line}");
    let mut process = process;
    process.signal("TERM");
    let (_, rest) = process.ends_within(SOON);
    assert!(!rest.contains("different editions"), "{rest}");
}

/// What `serve` refuses, `check config` refuses too.
#[test]
fn packs_are_checked_with_what_each_target_emits() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("checked-packs");
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("writable");
    write("a.yaml", "name: a\nprometheus: [{ old: x, new: y }]\n");
    write("b.yaml", "name: b\nfollows: a\nprometheus: [{ old: y, new: z }]\n");
    let target = "targets: [{ url: 'http://127.0.0.1:1/metrics'";
    for (settings, refused) in [
        (format!("emit: new\npacks: [a.yaml, b.yaml]\n{target} }}]\n"), false),
        (format!("emit: both\npacks: [a.yaml, b.yaml]\n{target} }}]\n"), true),
        (format!("emit: new\npacks: [a.yaml, b.yaml]\n{target}, emit: both }}]\n"), true),
        (format!("emit: both\npacks: [a.yaml, b.yaml]\n{target}, packs: [a] }}]\n"), false),
        (
            "emit: new\npacks: [a.yaml, b.yaml]\nproxy: { emit: both }\n\
             allow: [{ host: '*.internal', ports: [8100] }]\n"
                .to_owned(),
            true,
        ),
    ] {
        write("settings.yaml", &settings);
        let file = folder.join("settings.yaml").display().to_string();
        let output = run(&["check", "config", &file], "");
        assert_eq!(output.status.code(), Some(i32::from(refused)), "{settings}{}", stdout(&output));
        let names_it = stdout(&output).contains("`both` is not possible for packs that follow");
        assert_eq!(names_it, refused, "{}", stdout(&output));
    }
}

/// The names of the commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = run(&["--help"], "");
    let lines = stdout(&help).lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn shells_complete_every_command() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell], "");
        assert!(output.status.success(), "{shell}");
        for command in &commands {
            assert!(stdout(&output).contains(command.as_str()), "{shell} {command}");
        }
    }
    // The shell accepts it, and completes a command and a flag.
    let script = stdout(&run(&["completions", "bash"], "")).to_owned();
    let script = format!(
        "{script}\nCOMP_WORDS=(crossfade ser) COMP_CWORD=1\n_crossfade crossfade ser crossfade\n\
         echo \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(crossfade serve --emi) COMP_CWORD=2\n_crossfade crossfade --emi serve\n\
         echo \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(crossfade serve --emit o) COMP_CWORD=3\n_crossfade crossfade o --emit\n\
         echo \"${{COMPREPLY[*]}}\"\n\
         COMP_WORDS=(crossfade serve --pack apis) COMP_CWORD=3\n_crossfade crossfade apis --pack\n\
         echo \"${{COMPREPLY[*]}}\"\n"
    );
    let bash = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    assert_eq!(stdout(&bash), "serve\n--emit\nold\napisix\n", "{}", bash.stderr.escape_ascii());
    assert_eq!(run(&["completions", "sh"], "").status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("man");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).expect("a folder");
    let output = format!("--output={}", folder.display());
    assert!(run(&["man", &output], "").status.success());
    let mut expected: Vec<String> =
        commands().iter().map(|command| format!("crossfade-{command}.1")).collect();
    expected.push("crossfade.1".to_owned());
    expected.sort();
    let files = std::fs::read_dir(&folder).expect("a folder");
    let name = |file: std::io::Result<std::fs::DirEntry>| file.expect("readable").file_name();
    let mut names: Vec<String> =
        files.map(|file| name(file).into_string().expect("text")).collect();
    names.sort();
    names.retain(|name| !name.starts_with("crossfade-check-"));
    assert_eq!(names, expected);
    let subcommand = std::fs::read(folder.join("crossfade-check-config.1")).expect("a page");
    assert_eq!(run(&["man", "check", "config"], "").stdout, subcommand);
    let page = run(&["man", "serve"], "");
    let title = concat!(".TH crossfade-serve 1  \"serve ", env!("CARGO_PKG_VERSION"), "\"");
    for part in [title, "\\-\\-emit", "\\-\\-target"] {
        assert!(stdout(&page).contains(part), "{part}");
    }
    assert_eq!(std::fs::read(folder.join("crossfade-serve.1")).expect("a page"), page.stdout);
    let unknown = run(&["man", "serv"], "");
    assert_eq!(unknown.status.code(), Some(2));
    let message = std::str::from_utf8(&unknown.stderr).expect("text");
    assert!(message.contains("there is no command `serv`"), "{message}");
    assert_eq!(run(&["man", "--output=/no/such/folder"], "").status.code(), Some(2));
}

/// The last line tells the format, where there is no content type.
#[test]
fn openmetrics_is_read_as_such_by_every_command() {
    let body = "# TYPE kong_http_requests counter\n\
                kong_http_requests_total{service=\"s\",code=\"200\"} 5 # {t=\"a\"} 1\n\
                kong_http_requests_total{service=\"s\",code=\"200\",source=\"kong\"} 7\n# EOF\n";
    let output = run(&["rewrite", "--emit=old", "--format=openmetrics"], body);
    assert!(output.status.success());
    let expected = "kong_http_status{service=\"s\",code=\"200\"} 12\n";
    assert!(stdout(&output).contains(expected), "{}", stdout(&output));
    assert!(stdout(&output).ends_with("# EOF\n"));

    let output = run(&["explain", "--emit=old", "-"], body);
    assert!(!stdout(&output).contains("bad_timestamp"), "{}", stdout(&output));

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("openmetrics");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writable");
        path.to_str().expect("a plain path").to_owned()
    };
    let old = file("old.txt", "kong_http_status{service=\"s\",code=\"200\"} 12\n");
    let output = run(&["verify", &old, &file("new.txt", body)], "");
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));

    let pack = "name: p\nprometheus: [{ old: a, new: b_total }]\ntests:\n  \
                - name: openmetrics\n    emit: new\n    scrape: |\n      \
                a{x=\"1\"} 5 # {t=\"a\"} 1\n      # EOF\n    series: |\n      b_total{x=\"1\"} 5 # {t=\"a\"} 1\n";
    let output = run(&["test", &file("pack.yaml", pack)], "");
    assert!(output.status.success(), "{}", stdout(&output));

    let output = run(&["rewrite", "--emit=old", &file("whole.txt", body)], "");
    assert_eq!((output.status.code(), stdout(&output).contains(expected)), (Some(0), true));

    // A pipe is rewritten before its last line is seen: an error, not other numbers.
    let output = run(&["rewrite", "--emit=old"], body);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("write --format=openmetrics"), "{}", stderr(&output));
}

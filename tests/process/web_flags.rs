//! How `serve` gets its addresses, and its flags from the environment.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use crate::support::net::{Upstream, get, whole};
use crate::support::process::Process;

const BODY: &str = "kong_bandwidth_bytes{direction=\"egress\"} 2\n";
const OLD: &str = "kong_bandwidth{type=\"egress\"} 2";

fn serve() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.args(["serve", "--admin.listen-address=127.0.0.1:0"]);
    command
}

#[track_caller]
fn fails(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.stdout(Stdio::null()).output().expect("it runs");
    let stderr = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(2), "{stderr}");
    stderr
}

/// The addresses of the data listener, as the log has them.
fn data(process: &Process) -> Vec<SocketAddr> {
    let line = process.ready();
    let (_, rest) = line.split_once("data=").expect("addresses");
    let list = match rest.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => rest.split(' ').next(),
    };
    let addresses = list.expect("a value").split(", ");
    addresses.map(|address| address.parse().expect("an address")).collect()
}

#[tokio::test]
async fn several_addresses_are_served() {
    let upstream = Upstream::answering(whole(BODY)).await;
    let target = format!("--target={}", upstream.url());
    let process = Process::serve(&["--emit=old", "--web.listen-address=127.0.0.1:0", &target]);
    let addresses = data(&process);
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    assert_ne!(addresses[0], addresses[1]);
    for address in addresses.iter().chain(&addresses) {
        assert!(get(*address, "/metrics").await.text().contains(OLD), "{address}");
    }
}

/// `serve` with its stdin as the first socket of systemd.
fn activated(socket: impl Into<OwnedFd>) -> Command {
    let script = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", script, env!("CARGO_BIN_EXE_crossfade"), "serve", "--web.systemd-socket"])
        .args(["--admin.listen-address=127.0.0.1:0", "--web.listen-address=192.0.2.1:1"])
        .args(["--emit=old", "--target=http://127.0.0.1:1/metrics"])
        .stdin(socket.into());
    command
}

#[tokio::test]
async fn systemd_passes_the_socket() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    let process = Process::of(activated(socket));
    assert_eq!(data(&process), [address], "the address of the flag is not used");
    assert_eq!(get(address, "/sd").await.status, 200);
}

#[test]
fn sockets_that_cannot_be_used_are_errors() {
    let mut without = serve();
    without.args(["--web.systemd-socket", "--emit=old", "--target=http://127.0.0.1:1/metrics"]);
    let message = fails(without);
    assert!(message.contains("(web.systemd_socket): systemd has passed no socket"), "{message}");
    let message = fails(activated(UdpSocket::bind("127.0.0.1:0").expect("a free port")));
    assert!(message.contains("socket 1 is no TCP listener"), "{message}");
}

#[tokio::test]
async fn flags_come_from_the_environment() {
    let upstream = Upstream::answering(whole(BODY)).await;
    let file = std::env::temp_dir().join(format!("crossfade-{}-env.yaml", std::process::id()));
    std::fs::write(&file, "emit: new\nlog: { level: error, format: json }\n").expect("written");
    let mut command = serve();
    command
        .env("CROSSFADE_CONFIG_FILE", &file)
        .env("CROSSFADE_TARGET", format!("a={0} b={0}", upstream.url()))
        .env("CROSSFADE_EMIT", "old")
        .env("CROSSFADE_WEB_LISTEN_ADDRESS", "127.0.0.1:0 127.0.0.1:0")
        .env("CROSSFADE_WEB_ENABLE_LIFECYCLE", "true")
        .env("CROSSFADE_LOG_LEVEL", "warn")
        .env("CROSSFADE_LOG_FORMAT", "logfmt")
        // An empty one is not set, and one of Kubernetes is not ours.
        .env("CROSSFADE_WEB_CONFIG_FILE", "")
        .env("CROSSFADE_PORT", "tcp://10.0.0.1:9542")
        .arg("--log.level=info");
    let process = Process::of(command);
    assert!(process.ready().contains("level=info"), "a flag wins: {}", process.ready());
    let addresses = data(&process);
    assert_eq!(addresses.len(), 2);
    for name in ["a", "b"] {
        let page = get(addresses[1], &format!("/targets/{name}/metrics")).await;
        assert!(page.text().contains(OLD), "the variable wins over the file: {}", page.text());
    }
    let reload = "POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    let reply = crate::support::net::request(process.admin, reload).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    std::fs::remove_file(&file).expect("it is there");
}

#[test]
fn wrong_variables_are_named_and_their_values_are_not_shown() {
    let mut wrong = serve();
    wrong.env("CROSSFADE_EMIT", "odl");
    let message = fails(wrong);
    assert!(message.contains("did you mean `old`?"), "{message}");
    assert!(message.contains("environment variable CROSSFADE_EMIT"), "{message}");

    let mut flag = serve();
    flag.env("CROSSFADE_EMIT", "old").arg("--emit=odl");
    let message = fails(flag);
    assert!(!message.contains("environment"), "{message}");

    let url = "https://user:hunter2@kong/metrics";
    let mut secret = serve();
    secret.env("CROSSFADE_TARGET", url);
    let message = fails(secret);
    assert!(message.contains("CROSSFADE_TARGET") && !message.contains("hunter2"), "{message}");
    let help = serve().env("CROSSFADE_TARGET", url).arg("--help").output().expect("it runs");
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(help.contains("CROSSFADE_") && !help.contains("hunter2"), "{help}");
}

#[test]
fn a_broken_settings_file_comes_with_advice() {
    let path = std::env::temp_dir().join(format!("crossfade-{}-broken.yaml", std::process::id()));
    std::fs::write(&path, "emit: odl\nstrict: yes\nweb: { gzip_level: 11 }\n").expect("written");
    let mut command = serve();
    command.arg(format!("--config.file={}", path.display()));
    let message = fails(command);
    std::fs::remove_file(&path).expect("it is there");
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 4, "{message}");
    assert!(lines[0].ends_with("did you mean `old`?"), "{message}");
    assert!(lines[1].ends_with("`yes`: expected true or false; did you mean `true`?"), "{message}");
    assert!(lines[2].contains(":3:20: `11`"), "{message}");
    let advice = format!("`crossfade check config {}` ", path.display());
    assert!(lines[3].starts_with(&advice), "{message}");
}

/// Every command has a short help and a long one.
#[test]
fn short_help_is_short() {
    let help = |flag: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_crossfade"))
            .args(["serve", flag])
            .output()
            .expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let (short, long) = (help("-h"), help("--help"));
    assert!(short.lines().count() < 60, "{}", short.lines().count());
    assert!(!short.contains("Examples:") && !short.contains("SIGHUP"), "{short}");
    assert!(long.contains("\nExamples:\n") && long.contains("SIGHUP"), "{long}");
}

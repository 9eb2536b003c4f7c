//! Files whose readers are blocked: they stop neither scrapes, health checks nor signals.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::net::{Folder, Upstream, get, whole};
use crate::support::process::Process;
use crate::{SOON, reaches};

/// A pipe without a writer. Reading it, or opening it, waits for one.
fn pipe(path: &Path) {
    drop(std::fs::remove_file(path));
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
    assert!(made.success(), "{}", path.display());
}

/// Settings with one target.
fn settings(target: &str, extra: &str) -> String {
    format!("emit: old\ntargets:\n- name: kong\n  url: '{target}'\n{extra}")
}

/// Every kind of file that settings can name, with the part of the settings that names it.
const KINDS: &[(&str, &str)] = &[
    ("pack", "packs: [PIPE]\n"),
    ("web configuration file", "web: {config_file: PIPE}\n"),
    ("certificate of a web configuration file", "web: {config_file: WEB}\n"),
    (
        "CA of a target",
        "- name: other\n  url: https://127.0.0.1:1/\n  tls_config: {ca_file: PIPE}\n",
    ),
];

fn fill_in(extra: &str, folder: &Folder) -> (String, PathBuf) {
    let path = PathBuf::from(folder.write("pipe", ""));
    pipe(&path);
    let tls = "tls_server_config: {cert_file: pipe, key_file: pipe}\n";
    let web = folder.write("web.yaml", tls);
    (extra.replace("PIPE", &path.display().to_string()).replace("WEB", &web), path)
}

#[test]
fn at_the_start_they_are_errors() {
    let folder = Folder::new("pipes-at-start");
    let kinds = KINDS.iter().map(|(kind, extra)| (*kind, *extra));
    for (kind, extra) in kinds.chain([("settings", "")]) {
        let (extra, path) = fill_in(extra, &folder);
        let file = match kind {
            "settings" => path.display().to_string(),
            _ => folder.write("crossfade.yaml", &settings("https://127.0.0.1:1/metrics", &extra)),
        };
        let [data, admin] = ["web", "admin"].map(|it| format!("--{it}.listen-address=127.0.0.1:0"));
        let serve = ["serve", &data, &admin, "--config.file", &file];
        for arguments in [&serve[..], &["check", "config", &file]] {
            let output = Command::new("timeout")
                .args(["30", env!("CARGO_BIN_EXE_crossfade")])
                .args(arguments)
                .output()
                .expect("it starts");
            let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            let code = if arguments[0] == "serve" || kind == "settings" { 2 } else { 1 };
            assert_eq!(output.status.code(), Some(code), "{kind}, {arguments:?}: {text}");
            assert!(text.contains("not a regular file"), "{kind}, {arguments:?}: {text}");
        }
    }
}

async fn serves(process: &Process) {
    let served = async {
        assert_eq!(get(process.data, "/targets/kong/metrics").await.status, 200);
        assert_eq!(get(process.admin, "/-/healthy").await.status, 200);
    };
    tokio::time::timeout(SOON, served).await.expect("no response waits for a file");
}

#[tokio::test]
async fn at_a_reload_they_are_errors() {
    let upstream = Upstream::answering(whole("up 1\n")).await;
    let target = upstream.url();
    let folder = Folder::new("pipes-at-reload");
    let file = folder.write("crossfade.yaml", &settings(&target, ""));
    let mut process = Process::serve(&["--config.file", &file]);
    serves(&process).await;
    for (kind, extra) in KINDS {
        let (extra, _) = fill_in(extra, &folder);
        folder.write("crossfade.yaml", &settings(&target, &extra));
        process.signal("HUP");
        let line = process.logs(&["reload failed"]);
        assert!(line.contains("not a regular file"), "{kind}: {line}");
        serves(&process).await;
    }
    pipe(Path::new(&file));
    process.signal("HUP");
    let line = process.logs(&["reload failed"]);
    assert!(line.contains("not a regular file"), "settings: {line}");
    serves(&process).await;
    process.signal("TERM");
    let (code, log) = process.ends_within(SOON);
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn while_it_runs_they_are_errors() {
    let upstream = Upstream::answering(whole("up 1\n")).await;
    let folder = Folder::new("pipes-while-running");
    let web = folder.write("web.yaml", "http_server_config: {headers: {X-XSS-Protection: a}}\n");
    let state = folder.write("state", "");
    pipe(Path::new(&state));
    let extra = format!("web: {{config_file: '{web}'}}\nscrape: {{state_file: '{state}'}}\n");
    let file = folder.write("crossfade.yaml", &settings(&upstream.url(), &extra));
    let mut process = Process::serve(&["--config.file", &file]);
    assert!(process.earlier.concat().contains("not a regular file"), "{:?}", process.earlier);
    serves(&process).await;
    pipe(Path::new(&web));
    let line = process.logs(&["web configuration file rejected"]);
    assert!(line.contains("not a regular file"), "{line}");
    reaches(&process, "crossfade_web_config_last_read_successful", 0).await;
    serves(&process).await;
    process.signal("TERM");
    let (code, log) = process.ends_within(Duration::from_secs(20));
    assert_eq!(code, Some(0), "{log}");
}

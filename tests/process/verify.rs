//! `crossfade verify` as a shell sees it.

use std::process::{Command, Output};

use crate::support::prometheus::StandIn;
use crate::support::{capture, root};

const OLD: &str = "small/prometheus/kong-2.8.5.per_consumer.txt";
const NEW: &str = "small/prometheus/kong-3.9.1.all_on.per_consumer.txt";

fn command(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.arg("verify").args(arguments).current_dir(root("tests/captures"));
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn the_exit_code_is_the_verdict() {
    let agree = command(&[OLD, NEW]);
    assert_eq!(agree.status.code(), Some(0), "{}", text(&agree.stderr));
    assert!(text(&agree.stdout).contains("\nthe generations agree in all of 12 families\n"));
    let off = "small/prometheus/kong-3.9.1.default_flags.txt";
    let differ = command(&[OLD, off]);
    assert_eq!(differ.status.code(), Some(1));
    assert!(text(&differ.stdout).contains("the generations do NOT agree: 5 of 12 families"));
    for (arguments, says) in [
        (&[OLD][..], "<NEW>"),
        (&[OLD, "nowhere.txt"], "cannot read nowhere.txt"),
        (&[OLD, "ftp://kong/metrics"], "only http:// and https:// URLs"),
        (&[NEW, OLD], "name the old side first"),
        (&[NEW, NEW], "are both of the new generation; compare them with --emit=new"),
        (&[OLD, OLD, "--emit=new"], "compare them with --emit=old"),
        (&["-", "-"], "stdin can be only one of the two sides"),
        (&[OLD, "README.md"], "README.md has no sample"),
        (&[OLD, NEW, "--tolerance=2"], "between 0 and 100%"),
    ] {
        let output = command(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn two_captures_of_one_generation_are_compared_in_it() {
    for arguments in [[NEW, NEW, "--emit=new"], [NEW, NEW, "--emit=3.0"], [OLD, OLD, "--emit=old"]]
    {
        let output = command(&arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stdout));
    }
}

#[test]
fn urls_are_fetched_and_json_is_written() {
    let kong = StandIn::start(|path| (path == "/metrics?x=1").then(|| capture(NEW)));
    let url = format!("http://{}/metrics?x=1", kong.address());
    let output = command(&[OLD, &url, "--format=json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["agree"], true);
    assert_eq!(report["families"][0]["name"], "kong_bandwidth");
    assert_eq!(report["families"][0]["verdict"], "equal");
    let missing = command(&[OLD, &url.replace("x=1", "x=2")]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).contains("the response has status 404"),
        "{}",
        text(&missing.stderr)
    );
}

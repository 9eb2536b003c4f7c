//! `crossfade backfill` as a process: files, flags, and runs that were stopped.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::net::Folder;
use crate::support::prometheus::StandIn;

const PACK: &str = "name: p\nprometheus:\n  - old: hits{svc=$s}\n    new: hits_total{service=$s}\n";

/// Two scrapes in one window of two hours, and one in the next.
const DUMP: &str = "hits{instance=\"a:1\", job=\"j\", svc=\"x\"} 1 1793491200.5\n\
                    hits{instance=\"a:1\", job=\"j\", svc=\"x\"} 2 1793491215.5\n\
                    hits{instance=\"a:1\", job=\"j\", svc=\"x\"} 3 1793500000\n\
                    up{instance=\"a:1\", job=\"j\"} 1 1793491200.5\n# EOF\n";

const FIRST: &str = "hits_total{instance=\"a:1\",job=\"j\",service=\"x\"} 1 1793491200.500\n\
                     hits_total{instance=\"a:1\",job=\"j\",service=\"x\"} 2 1793491215.500\n# EOF\n";

const SECOND: &str = "hits_total{instance=\"a:1\",job=\"j\",service=\"x\"} 3 1793500000\n# EOF\n";

/// A folder with a pack and a dump.
struct Case {
    folder: Folder,
    pack: String,
    dump: String,
    output: String,
}

impl Case {
    fn new(name: &str, dump: &str) -> Case {
        let folder = Folder::new(name);
        let (pack, dump) = (folder.write("pack.yaml", PACK), folder.write("dump.om", dump));
        let output = dump.replace("dump.om", "output");
        Case { folder, pack, dump, output }
    }

    fn run(&self, flags: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
        command.args(["backfill", "--to=new"]).arg(format!("--pack={}", self.pack)).args(flags);
        command.output().expect("it starts")
    }

    fn write(&self, flags: &[&str]) -> Output {
        let output = format!("--output={}", self.output);
        self.run(&[&[&*output], flags].concat())
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(Path::new(&self.output).join(name)).ok()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.output).expect("it was created");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("readable").file_name().into_string().expect("a plain name")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }
}

#[track_caller]
fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

const FILES: [&str; 3] = ["2026-11-01T00-00-00Z.om", "2026-11-01T02-00-00Z.om", "backfill.state"];

#[test]
fn a_file_for_each_window() {
    let case = Case::new("backfill-windows", DUMP);
    let output = case.run(&["--dry-run", &case.dump]);
    let expected = "read 3 samples in 3 scrapes; would write 3 samples of 1 series\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), expected));
    assert!(!Path::new(&case.output).exists());

    let output = case.write(&[&case.dump]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("read 3 samples in 3 scrapes; wrote 3 samples of 1 series\n2 files"));
    assert!(text.contains("promtool tsdb create-blocks-from openmetrics"), "{text}");
    assert_eq!(case.files(), FILES);
    assert_eq!(case.read(FILES[0]).as_deref(), Some(FIRST));
    assert_eq!(case.read(FILES[1]).as_deref(), Some(SECOND));

    let again = case.write(&[&case.dump]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("has a complete backfill"), "{}", stderr(&again));
}

#[test]
fn lines_for_victoriametrics() {
    let case = Case::new("backfill-lines", DUMP);
    let output = case.write(&["--format=victoriametrics", "--window=24h", &case.dump]);
    assert!(stderr(&output).contains("/api/v1/import"), "{}", stderr(&output));
    let expected = "{\"metric\":{\"__name__\":\"hits_total\",\"instance\":\"a:1\",\"job\":\"j\",\
                    \"service\":\"x\"},\"values\":[1.0,2.0,3.0],\
                    \"timestamps\":[1793491200500,1793491215500,1793500000000]}\n";
    assert_eq!(case.read("2026-11-01T00-00-00Z.jsonl").as_deref(), Some(expected));
}

/// A file is not a pipe: its first bytes are read apart, because of gzip.
#[test]
fn an_export_of_victoriametrics_is_read_from_a_file() {
    let case = Case::new("backfill-export", DUMP);
    let line = "{\"metric\":{\"__name__\":\"hits\",\"instance\":\"a:1\",\"job\":\"j\",\"svc\":\"x\"},\
                \"values\":[1,2,3],\"timestamps\":[1793491200500,1793491215500,1793500000000]}\n";
    let output = case.write(&[&case.folder.write("export.jsonl", line)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(case.read(FILES[0]).as_deref(), Some(FIRST));
    assert_eq!(case.read(FILES[1]).as_deref(), Some(SECOND));
}

/// As after a crash in the first window: nothing was written that could be continued.
#[test]
fn a_run_without_a_complete_window_is_started_again() {
    let case = Case::new("backfill-again", "hits{");
    let failed = case.write(&[&case.dump]);
    assert_eq!(failed.status.code(), Some(2), "{}", stderr(&failed));
    let left = Path::new(&case.output).join("2026-11-01T00-00-00Z.unfinished");
    std::fs::write(left, "").expect("writable");
    case.folder.write("dump.om", DUMP);
    let output = case.write(&["--window=24h", &case.dump]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(case.files(), [FILES[0], FILES[2]]);
}

/// The second window fails at first: its series exists.
#[test]
fn a_run_that_failed_continues() {
    let exists = "hits_total{instance=\"a:1\", job=\"j\", service=\"x\"} 0 1793499999\n";
    let case = Case::new("backfill-continues", &format!("{exists}{DUMP}"));
    let failed = case.write(&[&case.dump]);
    assert_eq!(failed.status.code(), Some(2));
    let text = stderr(&failed);
    for part in
        ["from 2026-11-01T02:26:39Z on", "at 2026-11-01T02:26:40Z", "--end", "--keep-existing"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(case.files(), [FILES[0], FILES[2]]);

    // Other flags are another backfill.
    let other = case.write(&["--keep-existing", &case.dump]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("cannot be continued"), "{}", stderr(&other));

    // The first window is not written again.
    let name = Path::new(&case.output).join(FILES[0]);
    std::fs::write(&name, "not touched").expect("writable");
    case.folder.write("dump.om", DUMP);
    let continued = case.write(&[&case.dump]);
    assert_eq!(continued.status.code(), Some(0), "{}", stderr(&continued));
    assert!(stderr(&continued).starts_with("read 3 samples in 3 scrapes; wrote 3 samples"));
    assert_eq!(case.read(FILES[0]).as_deref(), Some("not touched"));
    assert_eq!(case.read(FILES[1]).as_deref(), Some(SECOND));
}

#[test]
fn wrong_usage_is_explained() {
    let case = Case::new("backfill-usage", DUMP);
    let full = case.folder.write("full.txt", "");
    let full = full.replace("/full.txt", "");
    let dump = case.dump.as_str();
    for (flags, expected) in [
        (&[dump][..], "--output <DIR>"),
        (&["--dry-run", "--to=both", dump], "--to=both: samples are written in one generation"),
        (
            &["--dry-run", "--start=2026-12-01", "--end=2026-11-01", dump],
            "--start is not before --end",
        ),
        (&["--dry-run", "--start=yesterday", dump], "an age such as 30d"),
        (&["--dry-run", "--window=1ms", dump], "--window: expected a time from 1s to 1000h"),
        (&["--dry-run", "/no/such/dump"], "cannot read /no/such/dump"),
        (&["--dry-run", "--prometheus=http://localhost:1"], "--start <TIME>"),
        (
            &["--dry-run", "--prometheus=http://localhost:1", "--start=1d", "--match=}"],
            "a matcher as in a query",
        ),
        (
            &["--dry-run", "--prometheus=http://localhost:1", "--start=1d"],
            "nothing listens at this host",
        ),
        (&[&format!("--output={full}"), dump], "is not empty, and has no backfill to continue"),
    ] {
        let output = if flags.contains(&"--dry-run") || flags.len() > 1 {
            let flags: Vec<&str> =
                flags.iter().copied().filter(|flag| *flag != "--to=new").collect();
            let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
            let to = flags.iter().any(|flag| flag.starts_with("--to"));
            command.arg("backfill").args((!to).then_some("--to=new"));
            command.arg(format!("--pack={}", case.pack)).args(&flags).output().expect("it starts")
        } else {
            case.run(flags)
        };
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(stderr(&output).contains(expected), "{flags:?}: {}", stderr(&output));
    }
    let output = case.run(&["--dry-run", &case.folder.write("empty.om", "other 1 5\n")]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in ["samples of the input: of families that no pack", "may have been cut", "--pack"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let stored = "hits_total{job=\"j\",service=\"x\"} 1 5\n# EOF\n";
    let output = case.run(&["--dry-run", &case.folder.write("stored.om", stored)]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("nothing to write"), "{}", stderr(&output));
}

/// A Prometheus that refuses long ranges, as `query.max-samples` makes it do.
#[test]
fn ranges_that_are_too_much_for_prometheus_are_halved() {
    let case = Case::new("backfill-halved", "");
    let prometheus = StandIn::reading(|path, form| {
        if path.starts_with("/prometheus/api/v1/metadata") {
            return ("200 OK", "application/json", b"{\"status\":\"success\",\"data\":{}}".into());
        }
        assert_eq!(path, "/prometheus/api/v1/query");
        let millis: i64 = between(form, "%5B", "ms%5D").parse().expect("milliseconds");
        if millis > 4_000_000 {
            let error = "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"query processing \
                         would load too many samples into memory in query execution\"}";
            return ("422 Unprocessable Entity", "application/json", error.into());
        }
        assert!(form.contains("job%3D%22j%22"), "{form}");
        let end: f64 = between(form, "time=", "").parse().expect("seconds");
        let begin = end - f64::from(i32::try_from(millis).expect("short")) / 1_000.0;
        let times = [1_793_491_200.5, 1_793_491_215.5, 1_793_500_000.0];
        let values = times.iter().zip(1..).filter(|(time, _)| (begin..=end).contains(*time));
        let values: Vec<String> = values.map(|(time, n)| format!("[{time},\"{n}\"]")).collect();
        let series = "\"__name__\":\"hits\",\"instance\":\"a:1\",\"job\":\"j\",\"svc\":\"x\"";
        let body = format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[\
             {{\"metric\":{{{series}}},\"values\":[{}]}}]}}}}",
            values.join(",")
        );
        ("200 OK", "application/json", body.into_bytes())
    });
    let url = format!("--prometheus=http://{}/prometheus", prometheus.address());
    let range = ["--start=2026-11-01", "--end=2026-11-01T04:00:00Z", "--match=job=\"j\""];
    let output = case.write(&[&[&*url], &range[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(case.files(), FILES);
    assert_eq!(case.read(FILES[0]).as_deref(), Some(FIRST));
    assert_eq!(case.read(FILES[1]).as_deref(), Some(SECOND));
}

/// The text between two others.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).expect("the first text");
    if after.is_empty() { rest } else { rest.split_once(after).expect("the second text").0 }
}

//! `crossfade audit` as a shell sees it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crossfade::mapping::Generation;
use serde_json::Value;

use crate::support::dashboards::{OLD, audited, fixture};

fn command(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.arg("audit").args(arguments).current_dir(folder).output().expect("it runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A folder with the fixtures in it that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{name}"));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(path.join("in/deep")).expect("the target folder is writable");
        for (name, to) in [(OLD[0], "in/deep/d.json"), (OLD[1], "in/r.yaml")] {
            std::fs::write(path.join(to), fixture(name).1).expect("the target folder is writable");
        }
        std::fs::write(path.join("in/other.yaml"), "a: {{ x }}\nb: [").expect("likewise");
        std::fs::write(path.join("in/fine.json"), "{\"expr\": \"up\"}").expect("likewise");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn the_exit_code_is_the_verdict() {
    let folder = Folder::new("exit");
    let at = &folder.0;
    let direct = command(&["in"], at);
    assert_eq!(direct.status.code(), Some(1), "{}", text(&direct.stderr));
    assert!(text(&direct.stdout).contains("4 files, "), "{}", text(&direct.stdout));
    assert_eq!(command(&["in/fine.json"], at).status.code(), Some(0));
    std::fs::write(at.join("in/one.json"), "{\"expr\": \"kong_http_status\"}").expect("writable");
    assert_eq!(command(&["in/one.json"], at).status.code(), Some(1));
    assert_eq!(command(&["in/one.json", "--emit=old"], at).status.code(), Some(0));
    assert_eq!(command(&["in/one.json", "--emit=new"], at).status.code(), Some(1));
    assert_eq!(command(&["in/other.yaml"], at).status.code(), Some(1), "asked for by name");
    let template = "{{- if .x }}\na:\n- expr: kong_http_status > {{ .limit }}\n{{- end }}\n";
    std::fs::write(at.join("in/template.yaml"), template).expect("writable");
    let output = command(&["in/template.yaml"], at);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("`helm template`"), "{}", text(&output.stdout));
    for empty in ["empty", "prose"] {
        std::fs::create_dir_all(at.join(empty)).expect("writable");
    }
    std::fs::write(at.join("prose/README.md"), "kong_http_status").expect("writable");
    std::fs::write(at.join("prose/a.yaml"), "a: b\n").expect("writable");
    std::fs::create_dir_all(at.join("code")).expect("writable");
    std::fs::write(at.join("code/slo.tf"), "query = \"kong_http_status\"").expect("writable");
    let output = command(&["code"], at);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("it mentions kong_http_status"), "{output:?}");
    std::fs::create_dir_all(at.join("wide")).expect("writable");
    let little_endian = |text: &str| text.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>();
    let big_endian = |text: &str| text.bytes().flat_map(|byte| [0, byte]).collect::<Vec<u8>>();
    let query = "expr: kong_http_status";
    for (name, bytes, says) in [
        ("mark.yaml", [&[0xff, 0xfe][..], &little_endian(query)].concat(), "it is UTF-16"),
        ("little.yaml", little_endian(query), "it is UTF-16"),
        ("big.yaml", big_endian(query), "it is UTF-16"),
        ("big.conf", big_endian(query), "it mentions kong_http_status"),
    ] {
        let file = at.join("wide").join(name);
        std::fs::write(&file, bytes).expect("writable");
        let output = command(&["wide"], at);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(text(&output.stdout).contains(says), "{name}: {output:?}");
        std::fs::remove_file(file).expect("it exists");
    }
    for (arguments, says) in [
        (&["empty"][..], "nothing to audit"),
        (&["prose"], "nothing to audit"),
        (&[], "<PATHS>"),
        (&["nowhere"], "cannot read nowhere"),
        (&["in", "--in-place"], "--rewrite"),
        (&["in", "--rewrite", "--in-place", "--output=x"], "cannot be used with"),
        (&["in", "--absent=kong_nothing"], "no pack has a rule for this family"),
    ] {
        let output = command(arguments, at);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
    for path in ["empty", "nowhere"] {
        let output = command(&[path], at);
        assert_eq!(text(&output.stdout), "", "{path}: there is only an error to report");
    }
}

#[test]
fn files_are_migrated_to_a_folder_or_in_place() {
    let folder = Folder::new("move");
    let at = &folder.0;
    let read = |path: &str| std::fs::read_to_string(at.join(path)).expect("a file");
    let nothing = command(&["in", "--rewrite"], at);
    assert!(text(&nothing.stdout).contains("nothing written"), "{}", text(&nothing.stdout));
    command(&["in", "--rewrite", "--to=new", "--output=out"], at);
    let moved = audited(OLD[0], Generation::New, &[]).migrated.expect("something moves");
    assert_eq!(read("out/deep/d.json"), moved);
    assert_eq!(read("in/deep/d.json"), fixture(OLD[0]).1, "the original stays");
    assert!(!at.join("out/fine.json").exists(), "nothing to move");
    let twice = command(&["in/deep", "in/deep/d.json", "--rewrite", "--output=twice"], at);
    assert_eq!(twice.status.code(), Some(2));
    assert!(
        text(&twice.stderr).contains("two files would be written to"),
        "{}",
        text(&twice.stderr)
    );
    command(&["in/deep/d.json", "--rewrite", "--in-place"], at);
    assert_eq!(read("in/deep/d.json"), moved);
}

#[test]
fn all_files_are_written_or_none() {
    let folder = Folder::new("all");
    let at = &folder.0;
    let original = fixture(OLD[1]).1;
    let read = |path: &str| std::fs::read_to_string(at.join(path)).expect("a file");
    let output = command(&["in/r.yaml", "missing.yml", "--rewrite", "--in-place"], at);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(read("in/r.yaml"), original);
    assert!(text(&output.stderr).contains("cannot read missing.yml"), "{output:?}");
    assert!(text(&output.stderr).contains("nothing was written"), "{output:?}");
    assert!(text(&output.stdout).contains("in/r.yaml"), "the others are audited: {output:?}");
    assert!(text(&output.stdout).contains("can be migrated to the new generation"), "{output:?}");
    assert!(text(&output.stdout).ends_with("nothing written: there are errors\n"), "{output:?}");
    // A file cannot be written: a folder has its name.
    std::fs::create_dir_all(at.join("out/r.yaml/x")).expect("writable");
    let output = command(&["in", "--rewrite", "--output=out"], at);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!at.join("out/deep/d.json").exists(), "{output:?}");
    let left: Vec<_> = std::fs::read_dir(at.join("out/deep")).expect("a folder").collect();
    assert!(left.is_empty(), "no temporary file is left: {left:?}");
    // What was written is reported, and a link stays a link.
    std::os::unix::fs::symlink("r.yaml", at.join("in/link.yaml")).expect("writable");
    let output = command(&["in/link.yaml", "--rewrite", "--in-place"], at);
    assert!(text(&output.stdout).contains("written: in/link.yaml"), "{output:?}");
    assert!(at.join("in/link.yaml").is_symlink());
    assert_ne!(read("in/r.yaml"), original);
}

#[test]
fn the_output_is_what_the_files_contain() {
    let folder = Folder::new("truth");
    let at = &folder.0;
    let file = |name: &str, text: &str| {
        std::fs::write(at.join(name), text).expect("the target folder is writable");
    };
    // The matcher that is added cannot be written in a flow mapping without quotes.
    file("flow.yml", "groups:\n- rules:\n  - {alert: A, expr: sum(kong_http_status) > 5}\n");
    let output = command(&["flow.yml", "--rewrite", "--output=out"], at);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let shown = text(&output.stdout);
    assert!(shown.contains("0 can be migrated to the new generation, 1 cannot\n"), "{shown}");
    assert!(shown.ends_with("nothing written\n"), "{shown}");
    assert!(!shown.contains("->"), "{shown}");
    // Quoted white space is shown as it is, in the query and in the migrated one.
    let query = "sum(kong_http_status{route=\"a   b\"})";
    file("blanks.yml", &format!("- alert: A\n  expr:  {query}   >\n      5\n"));
    let output = command(&["blanks.yml", "--rewrite", "--output=out"], at);
    let shown = text(&output.stdout);
    let migrated = "sum(kong_http_requests_total{route=\"a   b\",service!=\"\"})";
    assert!(shown.contains(&format!("{query} > 5\n")), "{shown}");
    assert!(shown.contains(&format!("-> {migrated} > 5\n")), "{shown}");
    assert!(shown.contains("1 migrated to the new generation, 0 not migrated\n"), "{shown}");
    let written = std::fs::read_to_string(at.join("out/blanks.yml")).expect("it is written");
    assert!(written.contains(migrated), "{written}");
}

#[test]
fn a_file_of_more_than_64_mebibytes_is_an_error() {
    let folder = Folder::new("large");
    let large = std::fs::File::create(folder.0.join("in/large.json")).expect("writable");
    large.set_len((64 << 20) + 1).expect("a sparse file");
    let output = command(&["in"], &folder.0);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("it is larger than 64 MiB"), "{output:?}");
}

#[test]
fn json_is_written() {
    let folder = Folder::new("json");
    let output = command(&["in/r.yaml", "--format=json"], &folder.0);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["survive"], false);
    let first = &report["files"][0]["findings"][0];
    assert_eq!(first["kind"], "record");
    assert_eq!(first["direct"], "breaks");
    assert_eq!(first["gateway"], "survives");
    assert_eq!(
        first["migrated"],
        "sum by (service) (rate(kong_http_requests_total{service!=\"\"}[5m]))"
    );
}

//! The exit codes of all commands: 0 success or yes, 1 no, 2 an error.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::root;

const OLD: &str = "tests/captures/small/prometheus/kong-2.8.5.per_consumer.txt";
const NEW: &str = "tests/captures/small/prometheus/kong-3.9.1.all_on.per_consumer.txt";
const DIFFERENT: &str = "tests/captures/small/prometheus/kong-3.9.1.default_flags.txt";

/// Files of the test, by the names that stand for them in the table.
fn files() -> Vec<(&'static str, String)> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exit-codes");
    std::fs::create_dir_all(&folder).expect("writable");
    let file = |name: &'static str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writable");
        (name, path.to_str().expect("text").to_owned())
    };
    vec![
        file("EMPTY", ""),
        file("MISSING", ""),
        file("PROSE", "This is no exposition.\n"),
        file("SURVIVES", "{\"expr\": \"up\"}"),
        file("BREAKS", "{\"expr\": \"sum(kong_http_status)\"}"),
        file(
            "STAYS",
            "groups:\n- rules:\n  - expr: '{__name__=~\"kong_http_status|x\"}'\n    record: r\n",
        ),
        file("GOOD", "emit: old\ntargets: [{url: 'http://a/'}]\n"),
        file("BAD", "emit: oldd\n"),
        file("PACK", "name: mine\nprometheus:\n- {old: a_b, new: a_c}\n"),
        file("WRONG", "name: mine\nprometheuss: []\n"),
        file("WEB", "{}\n"),
    ]
}

#[test]
fn of_all_commands() {
    let files = files();
    let missing = files.iter().find(|(name, _)| *name == "MISSING").expect("listed");
    std::fs::remove_file(&missing.1).expect("just written");
    let table = [
        ("", 2),
        ("--help", 0),
        ("no-such-command", 2),
        ("rewrite --emit=old NEW", 0),
        ("rewrite --emit=old EMPTY", 2),
        ("rewrite --emit=old PROSE", 2),
        ("rewrite --emit=old MISSING", 2),
        ("rewrite --emit=old --statsd EMPTY", 2),
        ("rewrite --emit=old --statsd NEW", 2),
        ("rewrite --emit=2.7 NEW", 2),
        ("rewrite --emit=oldd NEW", 2),
        ("rewrite --emit=old --pack=WRONG NEW", 2),
        ("rewrite --emit=old --pack=MISSING NEW", 2),
        ("explain --emit=old NEW", 0),
        ("explain --emit=old EMPTY", 2),
        ("explain --emit=old PROSE", 2),
        ("explain --emit=old MISSING", 2),
        ("explain --emit=old --statsd EMPTY", 2),
        ("explain --emit=old --statsd NEW", 2),
        ("explain --emit=old --line=broken{", 0),
        ("explain --emit=2.7 NEW", 2),
        ("verify OLD NEW", 0),
        ("verify OLD DIFFERENT", 1),
        ("verify NEW NEW", 2),
        ("verify OLD EMPTY", 2),
        ("verify OLD MISSING", 2),
        ("verify OLD NEW --emit=2.7", 2),
        ("audit SURVIVES", 0),
        ("audit BREAKS", 1),
        ("audit BREAKS --emit=old", 0),
        ("audit BREAKS --rewrite", 0),
        ("audit BREAKS --rewrite --to=old", 1),
        ("audit BREAKS --rewrite --emit=old", 0),
        ("audit BREAKS --rewrite --emit=new", 0),
        ("audit STAYS --rewrite", 1),
        ("audit BREAKS STAYS --rewrite", 1),
        ("audit EMPTY", 2),
        ("audit MISSING", 2),
        ("audit BREAKS MISSING", 2),
        ("audit BREAKS --emit=2.7", 2),
        ("check config GOOD", 0),
        ("check config BAD", 1),
        ("check config MISSING", 2),
        ("check pack PACK", 0),
        ("check pack WRONG", 1),
        ("check pack MISSING", 2),
        ("check pack PACK MISSING", 2),
        ("test mappings/kong.yaml", 0),
        ("test WRONG", 1),
        ("test MISSING", 2),
        ("serve", 2),
        ("serve --config.file=BAD", 2),
        ("serve --config.file=MISSING", 2),
        ("serve --emit=2.7 --target=http://127.0.0.1:9/", 2),
        ("demo --port=65535", 2),
        ("status", 2),
        ("status BREAKS", 1),
        ("status SURVIVES", 2),
        ("status MISSING", 2),
        ("status --query-log=MISSING", 2),
        ("status SURVIVES --since=1d", 2),
        ("status http://127.0.0.1:1/ SURVIVES", 2),
        ("health --url=http://127.0.0.1:1/", 1),
        ("health --url=https://127.0.0.1:1/", 2),
        ("health --web.config.file=MISSING", 2),
    ];
    for (line, code) in table {
        let path = |name: &str| match name {
            "OLD" => OLD.to_owned(),
            "NEW" => NEW.to_owned(),
            "DIFFERENT" => DIFFERENT.to_owned(),
            _ => files
                .iter()
                .find(|(its, _)| *its == name)
                .map_or(name.to_owned(), |it| it.1.clone()),
        };
        let argument = |word: &str| match word.rsplit_once('=') {
            Some((flag, value)) => format!("{flag}={}", path(value)),
            None => path(word),
        };
        let output = Command::new(env!("CARGO_BIN_EXE_crossfade"))
            .args(line.split_whitespace().map(argument))
            .current_dir(root(""))
            .stdin(Stdio::null())
            .output()
            .expect("it starts");
        let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).expect("text"));
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", said[0], said[1]);
    }
}

//! The files in `examples/` are valid. The program there has its own test.

use std::path::Path;
use std::process::{Command, Output};

use crossfade::mapping::{Emit, Pack, Settings, compile};

use crate::support::root;

fn crossfade(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossfade"));
    command.args(arguments).current_dir(root("")).env_remove("KONG_ADMIN_TOKEN");
    command.output().expect("the binary of this build runs")
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = crossfade(arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

#[test]
fn the_settings_file_has_no_errors() {
    succeeds(&["check", "config", "examples/settings.yaml"]);
}

#[test]
fn the_pack_has_no_errors_and_its_test_cases_pass() {
    succeeds(&["check", "mapping", "examples/pack.yaml"]);
    let text = succeeds(&["test", "examples/pack.yaml"]);
    assert!(text.contains("an old node for new dashboards"), "{text}");
}

#[test]
fn the_pack_works_without_the_built_in_ones() {
    let file = Path::new("examples/pack.yaml");
    let text = std::fs::read_to_string(root("examples/pack.yaml")).expect("readable");
    let pack = Pack::parse(&file.display().to_string(), &text).expect("a valid pack");
    let packs = [pack];
    for emit in [Emit::Old, Emit::New, Emit::Both] {
        compile(&packs, &Settings::new(emit)).expect("it compiles");
    }
}

//! Every shipped pack compiles for whatever the settings ask; of the packs under `tests/mappings`, the
//! good ones compile and the bad ones fail with exactly the text beside them (`BLESS=1` writes it anew).

use std::fs;
use std::path::{Path, PathBuf};

use crossfade::mapping::{BucketPolicy, Emit, Faults, Pack, Plan, Settings, compile};

const EMITS: [Emit; 3] = [Emit::Old, Emit::New, Emit::Both];
const POLICIES: [BucketPolicy; 3] = [
    BucketPolicy::Target,
    BucketPolicy::Common,
    BucketPolicy::Native,
];

/// Files of a folder whose name ends so, in order.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending}");
    files
}

fn parse(file: &Path) -> Result<Pack, Faults> {
    let name = file.file_name().unwrap().to_str().unwrap();
    Pack::parse(name, &fs::read_to_string(file).unwrap())
}

fn compile_each_way(packs: &[Pack]) -> Vec<Result<Plan, Faults>> {
    let mut plans = Vec::new();
    for emit in EMITS {
        for buckets in POLICIES {
            plans.push(compile(
                packs,
                &Settings {
                    buckets,
                    ..Settings::new(emit)
                },
            ));
        }
    }
    plans
}

#[test]
fn shipped_packs_compile_for_all_settings() {
    for file in files("mappings", ".yaml") {
        let pack = parse(&file).unwrap_or_else(|faults| panic!("{faults}"));
        for plan in compile_each_way(&[pack]) {
            plan.unwrap_or_else(|faults| panic!("{faults}"));
        }
    }
}

#[test]
fn good_packs_compile() {
    for file in files("tests/mappings", ".good.yaml") {
        let pack = parse(&file).unwrap_or_else(|faults| panic!("{faults}"));
        for plan in compile_each_way(&[pack]) {
            plan.unwrap_or_else(|faults| panic!("{faults}"));
        }
    }
}

#[test]
fn bad_packs_fail_with_the_text_beside_them() {
    let mut wrong = Vec::new();
    for file in files("tests/mappings", ".bad.yaml") {
        let found = match parse(&file) {
            Err(faults) => faults.to_string(),
            Ok(pack) => {
                let all = compile_each_way(&[pack]);
                let mut faults = all
                    .into_iter()
                    .map(|plan| plan.err().map(|it| it.to_string()));
                let first = faults.next().flatten();
                let first = first.unwrap_or_else(|| panic!("{} compiles", file.display()));
                assert!(
                    faults.all(|its| its.as_ref() == Some(&first)),
                    "faults depend on settings"
                );
                first
            }
        };
        let beside = file.with_extension("err");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        if fs::read_to_string(&beside).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

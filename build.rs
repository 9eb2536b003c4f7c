//! Tells the program from which commit and with which compiler it is built: `crossfade --version`.
//!
//! The commit is `CROSSFADE_COMMIT`, with its date in `SOURCE_DATE_EPOCH`, or else the commit that
//! git has checked out. Where neither is known it is `unknown`, for example in a crate from a
//! registry. Debug builds do not ask git, because then each commit would rebuild every test program.

use std::path::Path;
use std::process::Command;

const SECONDS_PER_DAY: i64 = 86_400;

/// The commit's full name, and when it was made: seconds since 1970.
struct Commit {
    name: String,
    seconds: Option<i64>,
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CROSSFADE_COMMIT");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let commit = given().or_else(|| release().then(checked_out).flatten());
    let rust = rust_version();
    let shown = commit.as_ref().map_or("commit unknown".to_owned(), shown);
    let version = variable("CARGO_PKG_VERSION").expect("cargo sets the version");
    let name = commit.map_or("unknown".to_owned(), |commit| commit.name);
    println!("cargo:rustc-env=CROSSFADE_BUILT_REVISION={name}");
    println!("cargo:rustc-env=CROSSFADE_BUILT_RUST={rust}");
    println!("cargo:rustc-env=CROSSFADE_BUILT_VERSION={version} ({shown}, rustc {rust})");
}

/// The value of an environment variable. An empty one is as good as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn release() -> bool {
    variable("PROFILE").as_deref() == Some("release")
}

/// The commit that the environment names.
fn given() -> Option<Commit> {
    let name = variable("CROSSFADE_COMMIT")?;
    let hexadecimal = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(
        hexadecimal && (7..=64).contains(&name.len()),
        "CROSSFADE_COMMIT is `{name}`; set it to 7 to 64 hexadecimal digits, or to nothing"
    );
    let seconds = variable("SOURCE_DATE_EPOCH").map(|text| {
        let seconds = text.parse();
        seconds.unwrap_or_else(|_| {
            panic!("SOURCE_DATE_EPOCH is `{text}`; set it to seconds since 1970, or to nothing")
        })
    });
    Some(Commit { name, seconds })
}

/// The commit that is checked out, if this folder is the top of a repository. A copy of the sources
/// inside of another repository has none.
fn checked_out() -> Option<Commit> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::current_dir().ok()?;
    if Path::new(&top).canonicalize().ok()? != here.canonicalize().ok()? {
        return None;
    }
    watch_head();
    let line = git(&["log", "-1", "--format=%H %ct"])?;
    let (name, seconds) = line.split_once(' ')?;
    Some(Commit { name: name.to_owned(), seconds: seconds.parse().ok() })
}

/// Has cargo run this again when another commit is checked out. A worktree has its own `HEAD`, and
/// its log changes even if the branch is in `packed-refs`.
fn watch_head() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        // Cargo would take a missing file for a change, each time.
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
}

/// The output of git, if it succeeds.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rust_version() -> String {
    let compiler = variable("RUSTC").unwrap_or_else(|| "rustc".to_owned());
    let output = Command::new(compiler).arg("--version").output().expect("the compiler runs");
    let text = String::from_utf8(output.stdout).expect("its version is text");
    text.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
}

/// `1a2b3c4 2026-11-29`. The date is that of UTC.
fn shown(commit: &Commit) -> String {
    let short = commit.name.get(..7).unwrap_or(&commit.name);
    match commit.seconds {
        Some(seconds) => format!("{short} {}", date(seconds.div_euclid(SECONDS_PER_DAY))),
        None => short.to_owned(),
    }
}

/// The date in the Gregorian calendar, from days since 1970-01-01. Years begin in March, so that the
/// leap day is the last day: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn date(days: i64) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * era + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

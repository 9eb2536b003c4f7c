//! `crossfade --version`, and `build.rs`, which finds out the commit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::support::process::Process;
use crate::{metric, support};

/// The compiler of this test, which cargo does not say at run time.
fn rust_version() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc runs");
    text(&output).split(' ').nth(1).expect("a version").to_owned()
}

#[track_caller]
fn text(output: &Output) -> &str {
    assert!(output.status.success(), "{}", output.stderr.escape_ascii());
    std::str::from_utf8(&output.stdout).expect("text")
}

#[test]
fn the_version_has_the_commit_and_the_compiler() {
    let version = |flag| {
        let output = Command::new(env!("CARGO_BIN_EXE_crossfade")).arg(flag).output();
        text(&output.expect("it runs")).to_owned()
    };
    let number = env!("CARGO_PKG_VERSION");
    assert_eq!(version("-V"), format!("crossfade {number}\n"));
    let whole = version("--version");
    let rest = whole.strip_prefix(&format!("crossfade {number} (")).expect("the version");
    let commit = rest.strip_suffix(&format!(", rustc {})\n", rust_version())).expect("rustc");
    // Where CROSSFADE_COMMIT is not set, as in `./test`, a debug build does not know its commit.
    let known = commit.len() >= 7 && commit.as_bytes()[..7].iter().all(u8::is_ascii_hexdigit);
    assert!(known || commit == "commit unknown", "{whole}");
}

#[tokio::test]
async fn the_metric_has_the_labels_of_the_version() {
    let process = Process::serve(&["--emit=old", "--target=http://127.0.0.1:1/metrics"]);
    let text = support::net::get(process.admin, "/metrics").await;
    let line = text.text().lines().find(|line| line.starts_with("crossfade_build_info{"));
    let (series, _) = line.expect("the metric").rsplit_once(' ').expect("a value");
    assert_eq!(metric(&process, series).await, 1);
    for label in [
        format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
        format!("rust_version=\"{}\"", rust_version()),
        "revision=\"".to_owned(),
    ] {
        assert!(series.contains(&label), "{label}: {series}");
    }
}

/// `build.rs` as a program. Cargo has compiled it too, but does not say where.
static BUILD: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build-script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-o"]).args([&program, &source]);
    text(&rustc.output().expect("rustc runs"));
    program
});

/// What the build script tells cargo, in this folder.
fn built(folder: &Path, profile: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(&*BUILD);
    command.current_dir(folder).env("PROFILE", profile).env("CARGO_PKG_VERSION", "7.8.9");
    command.env_remove("CROSSFADE_COMMIT").env_remove("SOURCE_DATE_EPOCH");
    command.envs(variables.iter().copied()).output().expect("it runs")
}

#[track_caller]
fn says(output: &Output, version: &str, revision: &str) {
    let rust = rust_version();
    let version = format!("CROSSFADE_BUILT_VERSION=7.8.9 ({version}, rustc {rust})");
    for line in [version, format!("CROSSFADE_BUILT_REVISION={revision}")] {
        let line = format!("cargo:rustc-env={line}");
        assert!(text(output).lines().any(|its| its == line), "{line}\n{}", text(output));
    }
}

/// An empty folder of the name, outside of the repository of Crossfade itself.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("crossfade-{}-{name}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

#[track_caller]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
    git.args(["-c", "commit.gpgsign=false"]).args(arguments);
    // 2024-02-29 in UTC, and the first of March where it was committed.
    git.env("GIT_COMMITTER_DATE", "1709247600 +0900");
    text(&git.output().expect("git runs")).trim().to_owned()
}

/// A repository with one commit, and the name of the commit.
fn repository(name: &str) -> (PathBuf, String) {
    let folder = folder(name);
    git(&folder, &["init", "--quiet"]);
    git(&folder, &["commit", "--quiet", "--allow-empty", "--message=a"]);
    let commit = git(&folder, &["rev-parse", "HEAD"]);
    (folder, commit)
}

#[test]
fn a_release_build_asks_git() {
    let (top, commit) = repository("asks-git");
    let version = format!("{} 2024-02-29", commit.get(..7).expect("a hash"));
    says(&built(&top, "release", &[]), &version, &commit);
    // A debug build does not: a commit would rebuild all test programs.
    says(&built(&top, "debug", &[]), "commit unknown", "unknown");
    assert!(!text(&built(&top, "debug", &[])).contains("HEAD"));

    let worktree = top.join("other");
    git(&top, &["worktree", "add", "--quiet", "other"]);
    says(&built(&worktree, "release", &[]), &version, &commit);
    std::fs::remove_dir_all(top).expect("the folder");
}

#[test]
fn a_copy_inside_of_another_repository_has_no_commit() {
    let (top, _) = repository("vendored");
    let vendored = top.join("vendor/crossfade");
    std::fs::create_dir_all(&vendored).expect("a folder");
    says(&built(&vendored, "release", &[]), "commit unknown", "unknown");
    std::fs::remove_dir_all(top).expect("the folder");
    let bare = folder("no-git");
    says(&built(&bare, "release", &[]), "commit unknown", "unknown");
    std::fs::remove_dir_all(bare).expect("the folder");
}

/// Every file that cargo watches exists, or it would build each time; and one of them changes with a
/// commit, wherever git keeps the branch.
#[test]
fn a_commit_is_noticed() {
    let (top, _) = repository("noticed");
    let worktree = top.join("other");
    git(&top, &["worktree", "add", "--quiet", "other"]);
    git(&top, &["pack-refs", "--all"]);
    for folder in [&top, &worktree] {
        let watched = || {
            let output = built(folder, "release", &[]);
            let paths = text(&output).lines().filter_map(|line| {
                let path = line.strip_prefix("cargo:rerun-if-changed=")?;
                (path != "build.rs").then(|| folder.join(path))
            });
            let read = |path: PathBuf| std::fs::read(&path).expect("it exists");
            paths.map(read).collect::<Vec<_>>()
        };
        let before = watched();
        assert!(!before.is_empty());
        git(folder, &["commit", "--quiet", "--allow-empty", "--message=b"]);
        let changed = watched().iter().zip(&before).any(|(after, before)| after != before);
        assert!(changed, "{}", folder.display());
    }
    std::fs::remove_dir_all(top).expect("the folder");
}

#[test]
fn the_environment_can_name_the_commit() {
    let folder = folder("environment");
    let commit = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
    let named = ("CROSSFADE_COMMIT", commit);
    for (seconds, date) in [
        ("0", "1970-01-01"),
        ("951782399", "2000-02-28"),
        ("951782400", "2000-02-29"),
        ("1795910400", "2026-11-29"),
        ("4107542399", "2100-02-28"),
        ("4107542400", "2100-03-01"),
        ("-1", "1969-12-31"),
    ] {
        let variables = [named, ("SOURCE_DATE_EPOCH", seconds)];
        for profile in ["release", "debug"] {
            says(&built(&folder, profile, &variables), &format!("1a2b3c4 {date}"), commit);
        }
    }
    says(&built(&folder, "release", &[named]), "1a2b3c4", commit);
    // Empty variables are not set: that is how a Dockerfile passes an argument that has no value.
    let empty = [("CROSSFADE_COMMIT", ""), ("SOURCE_DATE_EPOCH", "")];
    says(&built(&folder, "release", &empty), "commit unknown", "unknown");
    for wrong in ["main", "1a2b3c", "1a2b3c4\ncargo:rustc-env=A=b"] {
        let output = built(&folder, "release", &[("CROSSFADE_COMMIT", wrong)]);
        assert!(!output.status.success());
        let message = std::str::from_utf8(&output.stderr).expect("text");
        assert!(message.contains("set it to 7 to 64 hexadecimal digits"), "{message}");
    }
    std::fs::remove_dir_all(folder).expect("the folder");
}

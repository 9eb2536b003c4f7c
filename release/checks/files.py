"""The program, the tarball, the checksums, the list of crates and the notes."""

import hashlib
import json
import os
import re
import stat
import tarfile
from datetime import datetime, timezone
from pathlib import Path

from harness import COMMIT, DIST, EPOCH, ROOT, SBOM, TARBALL, VERSION, check, program, run


@check
def the_checksums_are_those_of_all_files():
    listed = {}
    for line in (DIST / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        listed[name] = digest
    found = {path.name: path for path in DIST.iterdir() if path.name != "SHA256SUMS"}
    assert set(listed) == set(found), set(listed) ^ set(found)
    for name, digest in listed.items():
        assert hashlib.sha256(found[name].read_bytes()).hexdigest() == digest, name
    assert len(listed) == 6, listed


@check
def the_program_is_one_static_file():
    path = program()
    assert "static-pie linked" in run("file", path)
    assert ", stripped" in run("file", path)
    assert "INTERP" not in run("readelf", "--program-headers", "--wide", path)
    assert "NEEDED" not in run("readelf", "--dynamic", "--wide", path)
    # From 12 MB up to twice that: much more would be debug information.
    assert 8e6 < path.stat().st_size < 24e6, path.stat().st_size


@check
def the_program_names_no_path_of_the_machine():
    text = program().read_bytes()
    home = os.environ.get("CARGO_HOME", os.environ["HOME"])
    for path in (str(ROOT), home + "/", "registry/src"):
        assert path.encode() not in text, path


@check
def the_version_is_that_of_the_commit():
    date = datetime.fromtimestamp(EPOCH, timezone.utc).date()
    rust = run("rustc", "--version").split()[1] if os.environ.get("CROSSFADE_RUST") else r"[\d.]+"
    pattern = rf"crossfade {re.escape(VERSION)} \({COMMIT[:7]} {date}, rustc {rust}\)\n"
    version = run(program(), "--version")
    assert re.fullmatch(pattern, version), (version, pattern)


@check
def the_tarball_has_what_is_documented():
    name = TARBALL.name.removesuffix(".tar.gz")
    with tarfile.open(TARBALL) as archive:
        members = archive.getmembers()
    files = {it.name.removeprefix(f"{name}/") for it in members if it.isfile()}
    commands = {path.stem for path in (ROOT / "src/cli").iterdir()}
    pages = {path for path in files if path.startswith("man/")}
    assert files - pages == {
        "crossfade",
        "crossfade.service",
        "crossfade.yaml",
        "settings.yaml",
        "settings.md",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "THIRD-PARTY.txt",
        "completions/crossfade.bash",
        "completions/crossfade.zsh",
        "completions/crossfade.fish",
    }, files
    assert {"man/crossfade.1", "man/crossfade-serve.1"} < pages
    for page in pages - {"man/crossfade.1"}:
        assert re.fullmatch(r"man/crossfade-(\w+)(-\w+)*\.1", page)[1] in commands, page
    for member in members:
        assert (member.uid, member.gid, member.mtime) == (0, 0, EPOCH), member.name
        mode = 0o755 if member.isdir() or member.name == f"{name}/crossfade" else 0o644
        assert stat.S_IMODE(member.mode) == mode, member.name
    # Neither a name nor a time in the gzip header.
    assert TARBALL.read_bytes()[3:8] == bytes(5)


@check
def what_is_in_the_tarball_works():
    folder = program().parent
    run(folder / "crossfade", "check", "config", folder / "crossfade.yaml")
    run(folder / "crossfade", "check", "config", "--syntax-only", folder / "settings.yaml")
    run("bash", "-n", folder / "completions/crossfade.bash")
    page = run("man", "--local-file", folder / "man/crossfade-serve.1", env={"LC_ALL": "C"})
    assert "--config.file" in page, page[:500]
    assert (folder / "CHANGELOG.md").read_text() == Path("CHANGELOG.md").read_text()


@check
def the_licences_of_all_crates_are_there():
    text = (program().parent / "THIRD-PARTY.txt").read_text()
    for part in ("GNU C Library", "\n  ring 0.", "\n  tokio 1.", "\n  hyper 1.", "Permission is"):
        assert part in text, part
    assert "proptest" not in text, "a crate of the tests"


@check
def the_sbom_lists_the_crates():
    bom = json.loads(SBOM.read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5"), bom["specVersion"]
    described = bom["metadata"]["component"]
    assert (described["name"], described["version"]) == ("crossfade", VERSION), described
    locked = Path("Cargo.lock").read_text()
    found = {it["name"]: it for it in bom["components"]}
    for name in ("hyper", "tokio", "rustls", "ring"):
        assert f'name = "{name}"\nversion = "{found[name]["version"]}"' in locked, found[name]
        assert found[name]["purl"].startswith(f"pkg:cargo/{name}@"), found[name]
    for name in ("proptest", "criterion", "rcgen"):
        assert name not in found, f"{name} is in the tests, and not in the program"
    # A random number would make each build another one, and so would paths of the machine.
    assert "serialNumber" not in bom
    assert str(ROOT) not in SBOM.read_text()


@check
def the_notes_are_the_section_of_the_changelog():
    notes = (DIST / "RELEASE-NOTES.md").read_text()
    assert notes == run("release/notes", VERSION)
    assert len(notes) > 200 and "\n## " not in f"\n{notes}", notes[:200]
    assert "has no section" in run("release/notes", "99.0.0", code=1)
    # A version is not the prefix of another one.
    assert "has no section" in run("release/notes", VERSION[:-1], code=1)

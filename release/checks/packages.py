"""The packages, installed, used and removed as an administrator does."""

import http.server
import re
import shlex
import threading

from harness import (
    DEB,
    EPOCH,
    ROOT,
    RPM,
    VERSION,
    check,
    copy_of_this_machine,
    get,
    in_root,
    run,
    running,
)

SETTINGS = "/etc/crossfade/crossfade.yaml"
INSTALLED = {
    "/usr/bin/crossfade",
    SETTINGS,
    "/usr/lib/systemd/system/crossfade.service",
    "/usr/share/man/man1/crossfade.1.gz",
    "/usr/share/man/man1/crossfade-serve.1.gz",
    "/usr/share/bash-completion/completions/crossfade",
    "/usr/share/fish/vendor_completions.d/crossfade.fish",
    "/usr/share/doc/crossfade/settings.md",
    "/usr/share/doc/crossfade/settings.yaml",
}


@check
def the_deb_says_what_it_is():
    fields = run("dpkg-deb", "--field", DEB)
    for line in (
        "Package: crossfade",
        f"Version: {VERSION}-1",
        f"Architecture: {DEB.stem.rsplit('_', 1)[1]}",
        "Section: net",
    ):
        assert f"{line}\n" in fields, (line, fields)
    assert re.search(r"^Depends:(.*)$", fields, re.M)[1].strip() == "", fields
    lines = run("dpkg-deb", "--contents", DEB).splitlines()
    files = {line.split(None, 5)[5].removeprefix(".") for line in lines}
    expected = INSTALLED | {"/usr/share/zsh/vendor-completions/_crossfade"}
    assert expected <= files, expected - files
    assert run("dpkg-deb", "--info", DEB, "conffiles") == f"{SETTINGS}\n"


@check
def the_rpm_says_what_it_is():
    def query(*options):
        return run("rpm", "--query", "--package", *options, RPM)

    fields = query("--queryformat", "%{NAME} %{VERSION}-%{RELEASE} %{LICENSE} %{BUILDTIME}")
    assert fields == f"crossfade {VERSION}-1 Apache-2.0 {EPOCH}", fields
    files = set(query("--list").split())
    expected = INSTALLED | {"/usr/share/zsh/site-functions/_crossfade"}
    assert expected <= files, expected - files
    assert query("--configfiles") == f"{SETTINGS}\n"
    needed = set(query("--requires").splitlines())
    # What rpm provides itself, and the package.
    needed = {it for it in needed if not it.startswith(("rpmlib(", "config(crossfade)"))}
    assert needed == {"/bin/sh"}, needed
    # %config(noreplace): an upgrade keeps changed settings.
    flags = query("--queryformat", "[%{FILENAMES} %{FILEFLAGS:fflags}\n]")
    assert f"{SETTINGS} cn\n" in flags, flags
    for path in ("post-install", "pre-uninstall", "post-uninstall"):
        assert (ROOT / "release/rpm" / path).read_text().strip() in query("--scripts"), path


class Kong(http.server.BaseHTTPRequestHandler):
    """Kong 3.x, with one family."""

    def do_GET(self):
        labels = 'service="s",route="r",code="200",source="service",consumer=""'
        body = "# TYPE kong_http_requests_total counter\n"
        body += f"kong_http_requests_total{{{labels}}} 3\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def the_service_works(root):
    """Runs the unit's command with its settings, and scrapes a Kong."""
    run("crossfade", "check", "config", SETTINGS, **in_root(root))
    unit = (root / "usr/lib/systemd/system/crossfade.service").read_text()
    command = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.M)[1])
    assert command[0] == "/usr/bin/crossfade" and SETTINGS in command[-1], command
    verified = run("systemd-analyze", "verify", "crossfade.service", **in_root(root))
    assert "crossfade" not in verified, verified
    with running(root, command):
        status, body = get("http://127.0.0.1:9542/metrics")
        assert status == 502 and "127.0.0.1:8100 refused the connection" in body, (status, body)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 8100), Kong) as kong:
            thread = threading.Thread(target=kong.serve_forever)
            thread.start()
            status, body = get("http://127.0.0.1:9542/metrics")
            kong.shutdown()
            thread.join()
        assert status == 200, (status, body)
        assert 'kong_http_status{service="s",route="r",code="200"} 3' in body, body
        _, body = get("http://127.0.0.1:9543/metrics")
        assert f'version="{VERSION}"' in body


def change_settings(root):
    path = root / SETTINGS[1:]
    path.write_text(path.read_text() + "# changed\n")


def make_state(root):
    """What systemd makes for a service with DynamicUser and StateDirectory."""
    (root / "var/lib/private/crossfade").mkdir(parents=True)
    (root / "var/lib/private/crossfade/state").write_text("a")
    (root / "var/lib/crossfade").symlink_to("private/crossfade")


def left(changed):
    """Files of Crossfade that are new in a copy of this machine."""
    paths = (path for path in changed.rglob("*crossfade*") if not path.is_char_device())
    return sorted(str(path.relative_to(changed)) for path in paths if path.parts[-2] != "packages")


@check
def the_deb_installs_runs_and_purges():
    with copy_of_this_machine() as (root, changed):
        inside = in_root(root)
        inside["env"]["DEBIAN_FRONTEND"] = "noninteractive"
        (root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        run("dpkg", "--install", f"/packages/{DEB.name}", **inside)
        assert run("dpkg", "--verify", "crossfade", **inside) == ""
        assert "enabled" in run("systemctl", "is-enabled", "crossfade.service", **inside)
        the_service_works(root)
        page = run("man", "--where", "crossfade-serve", **inside).strip()
        page = run("man", "--local-file", page, **inside)
        assert "--config.file" in page, page[:500]
        # An upgrade keeps changed settings.
        change_settings(root)
        run("dpkg", "--install", f"/packages/{DEB.name}", **inside)
        run("dpkg", "--remove", "crossfade", **inside)
        assert (root / SETTINGS[1:]).read_text().endswith("# changed\n")
        assert not (root / "usr/bin/crossfade").exists()
        make_state(root)
        run("dpkg", "--purge", "crossfade", **inside)
        assert left(changed) == [], left(changed)
        run("dpkg", "--status", "crossfade", code=1, **inside)


@check
def the_rpm_installs_runs_and_erases():
    with copy_of_this_machine() as (root, changed):
        inside = in_root(root)
        # /bin/sh is there, but not from an rpm.
        run("rpm", "--install", "--nodeps", f"/packages/{RPM.name}", **inside)
        assert run("rpm", "--verify", "--nodeps", "crossfade", **inside) == ""
        the_service_works(root)
        change_settings(root)
        make_state(root)
        run("rpm", "--upgrade", "--force", "--nodeps", f"/packages/{RPM.name}", **inside)
        assert (root / SETTINGS[1:]).read_text().endswith("# changed\n")
        run("rpm", "--erase", "crossfade", **inside)
        # rpm keeps settings that were changed, under another name.
        saved = ["etc/crossfade", "etc/crossfade/crossfade.yaml.rpmsave"]
        assert left(changed) == saved, left(changed)

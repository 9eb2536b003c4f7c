"""What the checks share: the files of the release, commands, and copies of this machine."""

import contextlib
import os
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path.cwd()
DIST = ROOT / os.environ["dist"]
VERSION = os.environ["version"]
COMMIT = os.environ["CROSSFADE_COMMIT"]
EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
TARBALL, DEB, RPM, IMAGE, SBOM = (
    DIST / os.environ[name] for name in ("tarball", "deb", "rpm", "image", "sbom")
)
# No step should take as long. It only ends a test that hangs.
LIMIT = 120

checks = []


def check(function):
    checks.append(function)
    return function


def run(*command, code=0, **options):
    """The output of a command, stderr included, which ends with this exit code."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=LIMIT,
        **options,
    )
    assert done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout}"
    return done.stdout


def in_root(root):
    """The option of `run` and Popen for a command in another root directory."""

    def enter():
        os.chroot(root)
        os.chdir("/")

    return {"preexec_fn": enter, "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}}


def program():
    """The program in the tarball."""
    folder = Path(tempfile.mkdtemp(prefix="crossfade-"))
    with tarfile.open(TARBALL) as archive:
        archive.extractall(folder)
    return next(folder.glob("*/crossfade"))


@contextlib.contextmanager
def copy_of_this_machine():
    """A root directory with the files of this machine, and the folder of what has changed there."""
    with tempfile.TemporaryDirectory(prefix="crossfade-") as folder:
        folder = Path(folder)
        run("mount", "-t", "tmpfs", "tmpfs", folder)
        changed, work, root = (folder / name for name in ("changed", "work", "root"))
        for path in (changed, work, root):
            path.mkdir()
        options = f"lowerdir=/,upperdir={changed},workdir={work}"
        run("mount", "-t", "overlay", "overlay", "-o", options, root)
        run("mount", "-t", "proc", "proc", root / "proc")
        run("mount", "--rbind", "/dev", root / "dev")
        run("mount", "-t", "tmpfs", "tmpfs", root / "run")
        (root / "packages").mkdir()
        for path in (DEB, RPM):
            (root / "packages" / path.name).write_bytes(path.read_bytes())
        try:
            yield root, changed
        finally:
            run("umount", "--recursive", "--lazy", root)
            run("umount", "--lazy", folder)


@contextlib.contextmanager
def running(root, command):
    """The gateway, with the ports of its settings. They are free: the network is that of the checks."""
    log = tempfile.TemporaryFile(mode="w+")
    process = subprocess.Popen(command, stdout=log, stderr=log, **in_root(root))
    try:
        wait_for_health(process, log)
        yield process
    finally:
        process.terminate()
        assert process.wait(LIMIT) == 0, read(log)


def wait_for_health(process, log):
    end = time.monotonic() + LIMIT
    while True:
        assert process.poll() is None, read(log)
        assert time.monotonic() < end, read(log)
        try:
            status, _ = get("http://127.0.0.1:9543/-/healthy")
        except OSError:
            time.sleep(0.01)
            continue
        assert status == 200, status
        return


def read(log):
    log.seek(0)
    return log.read()


def get(url):
    """The status of a response, and its body or the reason of an error."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, f"{error.reason} {error.read().decode()}"

"""The image: what its configuration says, and that its layer is the program and nothing else."""

import hashlib
import io
import json
import os
import re
import tarfile
from datetime import datetime, timezone

from harness import COMMIT, EPOCH, IMAGE, ROOT, VERSION, check, program, run

CREATED = datetime.fromtimestamp(EPOCH, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Layout:
    """The blobs of an image, each compared with its digest."""

    def __init__(self):
        with tarfile.open(IMAGE) as archive:
            self.members = archive.getmembers()
            self.files = {it.name: archive.extractfile(it).read() for it in self.members if it.isfile()}
        self.index = json.loads(self.files["index.json"])
        (described,) = self.index["manifests"]
        self.tag = described["annotations"]["org.opencontainers.image.ref.name"]
        self.manifest = json.loads(self.blob(described))
        self.config = json.loads(self.blob(self.manifest["config"]))

    def blob(self, descriptor):
        name = descriptor["digest"].replace("sha256:", "blobs/sha256/")
        content = self.files[name]
        assert name.endswith(hashlib.sha256(content).hexdigest()), name
        assert len(content) == descriptor["size"], name
        return content


@check
def the_image_is_configured_as_the_dockerfile_says():
    layout = Layout()
    assert json.loads(layout.files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    assert layout.tag == VERSION
    config = layout.config
    assert (config["os"], config["architecture"]) == ("linux", os.environ["deb_machine"])
    assert config["created"] == CREATED, config["created"]
    inner = config["config"]
    labels = inner.pop("Labels")
    source = labels.pop("org.opencontainers.image.source", None)
    assert source == (os.environ.get("CROSSFADE_SOURCE") or None), source
    description = re.search(r'^description = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    assert labels == {
        "org.opencontainers.image.title": "crossfade",
        "org.opencontainers.image.description": description,
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.created": CREATED,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }, labels
    dockerfile = (ROOT / "Dockerfile").read_text()

    def says(word):
        return re.search(rf"^{word} (.*)$", dockerfile[dockerfile.index("FROM scratch") :], re.M)[1]

    assert inner == {
        "Env": [says("ENV")],
        "User": says("USER"),
        "ExposedPorts": {f"{says('EXPOSE')}/tcp": {}},
        "Entrypoint": json.loads(says("ENTRYPOINT")),
        "Cmd": json.loads(says("CMD")),
        "StopSignal": says("STOPSIGNAL"),
    }, inner


@check
def the_layer_is_the_program():
    layout = Layout()
    (descriptor,) = layout.manifest["layers"]
    assert descriptor["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip", descriptor
    with tarfile.open(fileobj=io.BytesIO(layout.blob(descriptor))) as layer:
        (member,) = layer.getmembers()
        content = layer.extractfile(member).read()
    assert (member.name, member.mode, member.uid, member.gid) == ("crossfade", 0o755, 0, 0), member
    assert member.mtime == EPOCH and not member.pax_headers, member.pax_headers
    path = program()
    assert content == path.read_bytes()
    path.write_bytes(content)
    run(path, "check", "config", ROOT / "deploy/crossfade.yaml")
    # Without settings, what the image runs by default fails and says so.
    message = run(path, *layout.config["config"]["Cmd"], code=2, cwd="/")
    assert "/etc/crossfade/crossfade.yaml" in message, message


@check
def nothing_is_left_over_in_the_layout():
    layout = Layout()
    used = {layout.index["manifests"][0]["digest"], layout.manifest["config"]["digest"]}
    used |= {it["digest"] for it in layout.manifest["layers"]}
    found = {name.removeprefix("blobs/sha256/") for name in layout.files if "sha256/" in name}
    assert found == {it.removeprefix("sha256:") for it in used}, found
    assert {it.mtime for it in layout.members} == {EPOCH}


@check
def another_program_reads_the_image():
    read = json.loads(run("skopeo", "inspect", f"oci-archive:{IMAGE}"))
    assert read["Labels"]["org.opencontainers.image.version"] == VERSION, read
    assert len(read["Layers"]) == 1, read

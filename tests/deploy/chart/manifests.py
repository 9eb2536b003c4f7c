"""The manifests in deploy/kubernetes, which are rendered from the chart."""

import re

from harness import ROOT, check, for_each, rendered

MANIFESTS = ROOT / "deploy/kubernetes"
# File in deploy/kubernetes: the namespace, the examples it is rendered from, and what it is.
PLAIN = {
    "crossfade": ("monitoring", [], "The defaults of the chart."),
    "sidecar": ("kong", ["sidecar", "sidecar-deployment"], "Crossfade in the pods of Kong."),
    "statsd": ("monitoring", ["statsd"], "Crossfade once per node, for StatsD."),
    "statsd-sidecar": (
        "kong",
        ["statsd-sidecar", "sidecar-deployment"],
        "Crossfade in the pods of Kong, for StatsD.",
    ),
}


def manifest(file):
    """The text of a file in deploy/kubernetes."""
    namespace, parts, description = PLAIN[file]
    texts = rendered(*parts, namespace=namespace)
    texts.pop("NOTES.txt", None)
    sources = " and ".join(f"examples/{part}.yaml" for part in parts) or "values.yaml"
    result = f"# {description} Rendered from deploy/chart with {sources}; do not edit.\n"
    result += "# There is no published image: set yours, for example with kustomize.\n"
    for name in sorted(texts):
        for document in re.split(r"^---\n", texts[name], flags=re.M):
            lines = [line.rstrip() for line in document.strip().splitlines()]
            lines = [
                it
                for it in lines
                if not re.match(r"\s+(helm.sh/chart|app.kubernetes.io/managed-by):", it)
            ]
            # Objects of the Prometheus operator are for those who have it.
            if lines and not any(
                it.startswith("apiVersion: monitoring.coreos.com") for it in lines
            ):
                result += "---\n" + "\n".join(lines) + "\n"
    return result


@for_each(**{name: name for name in PLAIN})
def the_manifest_is_rendered_from_the_chart(name):
    text = (MANIFESTS / f"{name}.yaml").read_text()
    assert text == manifest(name), "run tests/deploy/chart --write"


@check
def every_manifest_is_known():
    assert {path.stem for path in MANIFESTS.glob("*.yaml")} == set(PLAIN)


def write_manifests():
    MANIFESTS.mkdir(exist_ok=True)
    for name in PLAIN:
        (MANIFESTS / f"{name}.yaml").write_text(manifest(name))

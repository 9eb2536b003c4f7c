"""Registers checks, and renders the chart with Helm's engine."""

import copy
import functools
import re
import tempfile
from pathlib import Path

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy/chart"
EXAMPLES = {path.stem: [path.stem] for path in sorted((CHART / "examples").glob("*.yaml"))}
EXAMPLES["sidecar-deployment"].insert(0, "sidecar")

checks = []


def check(function):
    """Registers a check."""
    checks.append((function.__name__.replace("_", " "), function))
    return function


def for_each(**cases):
    """Registers a check for each case."""

    def register(function):
        name = function.__name__.replace("_", " ")
        for case, value in cases.items():
            checks.append((f"{name}: {case}", lambda value=value: function(value)))
        return function

    return register


def merged(base, other):
    """Maps are merged, everything else is replaced, as `helm install --values` does."""
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = merged(base[key], value) if both else copy.deepcopy(value)
    return base


def values(*sources):
    """The values of examples (by name), of YAML texts, and of maps."""
    result = {}
    for source in sources:
        if isinstance(source, str):
            file = CHART / "examples" / f"{source}.yaml"
            text = file.read_text() if re.fullmatch(r"[a-z-]+", source) else source
            source = helm_python.values_from_yaml(text)
        merged(result, source)
    return result


@functools.cache
def package():
    """The chart as an archive. The folder has links, which Helm reports whenever it loads them."""
    folder = tempfile.TemporaryDirectory()
    archive = Path(helm_python.package(str(CHART), destination=folder.name))
    return folder, archive


def rendered(*sources, namespace="monitoring", name="crossfade", chart=None):
    """The texts of all templates."""
    with helm_python.Chart.load(str(chart or package()[1])) as loaded:
        given = values(*sources)
        loaded.validate_schema(given)
        texts = loaded.render(given, name=name, namespace=namespace)
    return {Path(path).name: text for path, text in texts.items() if text.strip()}


def documents(*sources, **options):
    """All rendered documents."""
    texts = rendered(*sources, **options)
    texts.pop("NOTES.txt", None)
    found = []
    for text in texts.values():
        found += [document for document in yaml.safe_load_all(text) if document]
    return found


def one(found, kind, name=None):
    """The only document of a kind, or of a kind and name."""
    matching = [it for it in found if it["kind"] == kind and name in (None, it["metadata"]["name"])]
    assert len(matching) == 1, f"{len(matching)} of {kind} {name or ''}"
    return matching[0]


def none(found, kind):
    assert not [it for it in found if it["kind"] == kind], f"there is a {kind}"


def pods(found):
    """The pod templates, each with the workload that it is in."""
    kinds = ("Deployment", "StatefulSet", "DaemonSet")
    return [(it, it["spec"]["template"]) for it in found if it["kind"] in kinds]


def crossfades(found):
    """The Crossfade containers, each with its pod template."""
    for _, pod in pods(found):
        for container in pod["spec"]["containers"]:
            if container["name"] == "crossfade":
                yield container, pod


def settings(found):
    """The settings file, and the pack files."""
    maps = [
        it for it in found if it["kind"] == "ConfigMap" and "crossfade.yaml" in it.get("data", {})
    ]
    assert len(maps) == 1
    return yaml.safe_load(maps[0]["data"]["crossfade.yaml"]), maps[0]["data"]


def refused(message, *sources):
    """Asserts that the values are refused with the message."""
    try:
        rendered(*sources)
    except helm_python.HelmError as error:
        assert re.search(message, str(error)), f"another error: {error}"
        return
    raise AssertionError(f"accepted: {sources}")


# What every check of rendered documents runs on: the defaults, the examples, and options.
VARIANTS = {name: parts for name, parts in EXAMPLES.items()}
VARIANTS["statsd-sidecar-deployment"] = ["statsd-sidecar", "sidecar-deployment"]
VARIANTS["defaults"] = []
VARIANTS["options"] = [
    "proxy",
    """
    nameOverride: gateway
    commonLabels: { team: observability }
    podLabels: { sidecar.istio.io/inject: "false" }
    image: { registry: registry.example, digest: "sha256:%s" }
    imagePullSecrets: [{ name: registry }]
    settings:
      log: { format: json }
      statsd:
        listen: [{ address: "udp://:8125" }, { address: "tcp://0.0.0.0:8125" }]
        forward: [{ address: "udp://statsd:9125" }]
      limits: { held_series: 1500000 }
      fill: { node_id: "on" }
      modules: { edition: { emit: "3.0" } }
    envFrom: [{ secretRef: { name: kong } }]
    autoscaling: { enabled: true, behavior: { scaleDown: { stabilizationWindowSeconds: 600 } } }
    podDisruptionBudget: { minAvailable: 50%% }
    configReloader: { enabled: true }
    stateFile: { enabled: true }
    priorityClassName: system-cluster-critical
    dnsConfig: { options: [{ name: ndots, value: "2" }] }
    hostAliases: [{ ip: 192.0.2.1, hostnames: [kong.example] }]
    nodeSelector: { kubernetes.io/os: linux }
    affinity:
      podAntiAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 1
            podAffinityTerm:
              topologyKey: topology.kubernetes.io/zone
              labelSelector: { matchLabels: { app.kubernetes.io/name: gateway } }
    service: { type: LoadBalancer, ipFamilyPolicy: PreferDualStack }
    networkPolicy: { egress: { statsd: [{ podSelector: {} }], dns: [{ namespaceSelector: {} }] } }
    podMonitor: { enabled: true }
    extraManifests: [{ apiVersion: v1, kind: ConfigMap, metadata: { name: "{{ .Release.Name }}-x" } }]
    """
    % ("0" * 64),
]
VARIANTS["daemonset-of-scrapes"] = ["kind: DaemonSet\nnetworkPolicy: { enabled: true }"]
VARIANTS["loopback"] = ["settings: { admin: { listen_address: 127.0.0.1:9600 } }"]
for_each_variant = for_each(**VARIANTS)

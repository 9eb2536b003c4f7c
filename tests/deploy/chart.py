#!/usr/bin/env python3
"""Tests of the Helm chart in deploy/chart, with Helm's own engine. `./test` installs what it needs.

    target/chart-venv/bin/python tests/deploy/chart.py
    target/chart-venv/bin/python tests/deploy/chart.py --write   writes deploy/kubernetes, and the
                                                                 table in the chart's README.md
"""

import copy
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import helm_python
import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/chart"
MANIFESTS = ROOT / "deploy/kubernetes"
EXAMPLES = {path.stem: [path.stem] for path in sorted((CHART / "examples").glob("*.yaml"))}
EXAMPLES["sidecar-deployment"].insert(0, "sidecar")
# File in deploy/kubernetes: the namespace, the examples it is rendered from, and what it is.
PLAIN = {
    "crossfade": ("monitoring", [], "The defaults of the chart."),
    "sidecar": ("kong", ["sidecar", "sidecar-deployment"], "Crossfade in the pods of Kong."),
    "statsd": ("monitoring", ["statsd"], "Crossfade once per node, for StatsD."),
}
# The oldest version in which every rendered key exists, and the newest that the schemas cover.
KUBERNETES = ["1.30", "1.37"]

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


# ── Rendering ─────────────────────────────────────────────────────────────────────────────────────


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


def rendered(*sources, namespace="monitoring", name="crossfade", chart=CHART):
    """The texts of all templates."""
    with helm_python.Chart.load(str(chart)) as loaded:
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
    matching = [
        it for it in found if it["kind"] == kind and name in (None, it["metadata"]["name"])
    ]
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
    maps = [it for it in found if it["kind"] == "ConfigMap" and "crossfade.yaml" in it.get("data", {})]
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


# ── The chart ─────────────────────────────────────────────────────────────────────────────────────


@check
def helm_lint_has_no_warnings():
    report = helm_python.lint(str(CHART), {}, strict=True)
    found = [it for it in report["messages"] if it["severity"] > 1] + report["errors"]
    assert not found, found


@check
def the_versions_are_those_of_the_program():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    cargo = (ROOT / "Cargo.toml").read_text()
    version = re.search(r'^version = "(.*)"$', cargo, re.M)[1]
    assert chart["appVersion"] == version, (chart["appVersion"], version)
    image = next(crossfades(documents()))[0]["image"]
    assert image == f"crossfade:{version}", image


@check
def the_package_renders_the_same():
    with tempfile.TemporaryDirectory() as folder:
        archive = helm_python.package(str(CHART), destination=folder)
        archive = archive if isinstance(archive, str) else next(Path(folder).glob("*.tgz"))
        for parts in (["proxy"], ["statsd"]):
            assert rendered(*parts, chart=archive) == rendered(*parts)


def described():
    """The keys of values.yaml with a description: path, default, description."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    found, path, text = [], [], None
    for line in lines:
        comment = re.match(r"\s*# ?(.*)", line)
        key = re.match(r"( *)([A-Za-z]\w*):", line)
        if comment:
            if comment[1].startswith("-- "):
                text = comment[1][3:]
            elif text is not None:
                text += " " + comment[1]
        elif key and len(key[1]) // 2 <= len(path):
            path = path[: len(key[1]) // 2] + [key[2]]
            if text is not None:
                found.append((".".join(path), text))
            text = None
        else:
            text = None
    defaults = yaml.safe_load("\n".join(lines))
    rows = []
    for name, text in found:
        value = defaults
        for part in name.split("."):
            value = value[part]
        rows.append((name, value, text))
    return rows


def table():
    """The table of values for README.md."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, value, text in described():
        default = json.dumps(value, separators=(",", ":"))
        default = "see values.yaml" if len(default) > 60 else f"`{default}`"
        rows.append(f"| `{name}` | {default} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)


TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=\n<!-- end of values -->)", re.S)


@check
def every_value_is_described():
    names = {name for name, _, _ in described()}
    missing = []

    def walk(value, path):
        if path in names:
            return
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{path}.{key}" if path else key)
        else:
            missing.append(path)

    walk(yaml.safe_load((CHART / "values.yaml").read_text()), "")
    assert not missing, missing


@check
def the_readme_has_the_table_of_values():
    readme = (CHART / "README.md").read_text()
    assert TABLE.search(readme)[0] == table(), "run tests/deploy/chart.py --write"


@check
def prose_fits_100_columns():
    for path in CHART.rglob("*"):
        if path.suffix not in (".yaml", ".md") or path.is_symlink() or not path.is_file():
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            # Commands in comments cannot be wrapped.
            pattern = r"\s*# ?(?! )" if path.suffix == ".yaml" else r"(?![|{ ])"
            assert not (re.match(pattern, line) and len(line) > 100), f"{path}:{number}"


SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def keys_of(schema, path=""):
    """The keys that a schema allows, those of lists as `a[].b`. Empty objects are free."""
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rsplit("/", 1)[1]]
    if "items" in schema and schema["items"].get("properties"):
        yield from keys_of(schema["items"], f"{path}[]")
    elif schema.get("properties"):
        for key, inner in schema["properties"].items():
            yield from keys_of(inner, f"{path}.{key}" if path else key)
    else:
        yield path


@check
def the_schema_has_the_settings_in_the_documentation():
    text = (ROOT / "docs/settings.md").read_text()
    listed = re.findall(r"^\| `([a-z_.\[\]]+)` \|", text, re.M)
    # `probe` and each module have the keys of `proxy`; `proxy.tls_config` and so on those of targets.
    groups = ("probe", "proxy.basic_auth", "proxy.authorization", "proxy.tls_config")
    allowed = set(keys_of(SCHEMA["properties"]["settings"]))
    found = {key for key in allowed if not key.startswith(tuple(f"{it}." for it in groups))}
    assert found == set(listed) - set(groups), found ^ (set(listed) - set(groups))
    inner = {key.removeprefix("targets[].") for key in allowed if re.match(r"targets\[\]\.\w+\.", key)}
    assert {f"proxy.{key}" for key in inner} <= allowed


@check
def the_schema_has_the_keys_of_the_values():
    def compare(schema, value, path):
        if "properties" not in schema or path == "settings":
            return
        assert schema["additionalProperties"] is False, f"{path} is open"
        known = set(schema["properties"]) - {"global"}
        assert known == set(value), f"{path}: {known ^ set(value)}"
        for key in value:
            compare(schema["properties"][key], value[key], f"{path}.{key}".lstrip("."))

    compare(SCHEMA, yaml.safe_load((CHART / "values.yaml").read_text()), "")


@for_each(
    an_unknown_key=("replicaCount", "replicaCount: 2"),
    an_unknown_key_of_ours=("/image'.*'name'", "image: { name: crossfade }"),
    an_unknown_setting=("/settings'.*'emits'", "settings: { emits: old }"),
    an_unknown_setting_of_a_target=("nmae", "settings: { targets: [{ url: 'http://a', nmae: a }] }"),
    an_unknown_setting_of_a_module=("emti", "settings: { modules: { a: { emti: new } } }"),
    an_edition_as_a_number=("/settings/emit", "settings: { emit: 3.0 }"),
    an_octal_number=("/mode", "settings: { statsd: { listen: [{ address: 'unixgram:/a', mode: 0722 }] } }"),
    a_target_without_a_url=("'url'", "settings: { targets: [{ name: a }] }"),
    another_kind=("/kind", "kind: Pod"),
    replicas_as_text=("/replicas", "replicas: two"),
    another_placement=("/kongMonitors/0/placement", "kongMonitors: [{ name: a, placement: tunnel }]"),
    a_monitor_without_a_placement=("'placement'", "kongMonitors: [{ name: a }]"),
    an_unknown_key_of_a_monitor=("'proxy'", "kongMonitors: [{ name: a, placement: probe, proxy: b }]"),
    a_name_that_is_none=("/kongMonitors/0/name", "kongMonitors: [{ name: A b, placement: proxy }]"),
    a_path_without_a_slash=("/path", "kongMonitors: [{ name: a, placement: proxy, path: metrics }]"),
    a_digest_that_is_none=("/image/digest", "image: { digest: latest }"),
    another_affinity=("/service/sessionAffinity", "service: { sessionAffinity: Cookie }"),
    a_pack_that_hides_the_settings=("propertyName", "packs: { crossfade.yaml: a }"),
    a_pack_outside_the_folder=("propertyName", "packs: { ../ours.yaml: a }"),
    a_label_that_is_no_text=("/podLabels/a", "podLabels: { a: true }"),
)
def the_schema_refuses(case):
    message, text = case
    refused(f"(?s)at '.*{message}", text)


@for_each(
    nothing_to_do=("nothing to do", "settings: { allow: null }"),
    an_address_without_a_port=("no port number", "settings: { web: { listen_address: all } }"),
    a_pack_that_is_not_there=("not in packs", "settings: { packs: [ours.yaml] }"),
    a_pack_that_is_not_used=("not used", "packs: { ours.yaml: 'name: ours' }"),
    a_path_of_a_state_file=("stateFile.enabled", "settings: { scrape: { state_file: /a } }"),
    a_path_of_a_web_config=("webConfig.existingSecret", "settings: { web: { config_file: /a } }"),
    a_reloader_without_a_user=("cannot log in", "tls", "configReloader: { enabled: true }"),
    scaling_of_shards=("only for kind: Deployment", "sharded", "autoscaling: { enabled: true }"),
    a_state_of_a_node=("stateFile", "statsd", "stateFile: { enabled: true }"),
    a_monitor_of_loopback=("loopback", "loopback_admin"),
    a_monitor_without_a_service=("use podMonitor", "sidecar", "serviceMonitor: { enabled: true }"),
    a_proxy_without_an_allow_list=("settings.allow", "substitution", "proxy_monitor"),
    targets_that_are_not_there=("settings.targets", "kongMonitors: [{ name: a, placement: substitution }]"),
    a_monitor_without_targets=("no targets", "kongMonitors: [{ name: a, placement: probe, discovery: targets }]"),
    a_proxy_in_a_sidecar=("placement: sidecar", "sidecar", "proxy_of_sidecar"),
    two_monitors_of_one_name=("two items", "kongMonitors: [{ name: a, placement: proxy }, { name: a, placement: probe }]"),
    names_without_peers=("egress.kong", "networkPolicy: { enabled: true }", "settings: { allow: [{ host: a, ports: [1] }] }"),
    sinks_without_peers=("egress.statsd", "statsd", "networkPolicy: { egress: { statsd: [] } }"),
    a_user_without_a_password=("passwordKey", "tls", "webConfig: { probe: { passwordKey: '' } }"),
)
def the_templates_refuse(case):
    named = {
        "loopback_admin": "serviceMonitor: { enabled: true }\nsettings: { admin: { listen_address: 127.0.0.1:9543 } }",
        "proxy_monitor": "kongMonitors: [{ name: a, placement: proxy }]",
        "proxy_of_sidecar": "settings: { allow: [{ host: a, ports: [1] }] }\nkongMonitors: [{ name: a, placement: proxy }]",
    }
    message, *sources = case
    refused(re.escape(message), *(named.get(source, source) for source in sources))


# ── Rendered documents ────────────────────────────────────────────────────────────────────────────

TEXTS = {"type": "array", "items": {"type": "string"}}


def closed(required=(), **properties):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


SELECTOR = closed(
    matchLabels={"type": "object", "additionalProperties": {"type": "string"}},
    matchExpressions={"type": "array"},
)
RELABELINGS = {
    "type": "array",
    "minItems": 1,
    "items": closed(
        sourceLabels=TEXTS,
        separator={"type": "string"},
        targetLabel={"type": "string"},
        regex={"type": "string"},
        modulus={"type": "integer", "minimum": 1},
        replacement={"type": "string"},
        action={"enum": ["replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep"]},
    ),
}
DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
HTTP = {
    "params": {"type": "object", "additionalProperties": TEXTS},
    "relabelings": RELABELINGS,
    "metricRelabelings": RELABELINGS,
    "basicAuth": closed(["username", "password"], username={"type": "object"}, password={"type": "object"}),
    "tlsConfig": closed(
        ca={"type": "object"}, cert={"type": "object"}, keySecret={"type": "object"}, serverName={"type": "string"}
    ),
    "proxyUrl": {"type": "string", "pattern": "^https?://[a-z0-9.-]+:[0-9]+$"},
    "scrapeTimeout": DURATION,
}
ENDPOINT = HTTP | {
    "path": {"type": "string", "pattern": "^/"},
    "scheme": {"enum": ["http", "https"]},
    "interval": DURATION,
}
NAMESPACES = closed(["matchNames"], matchNames=TEXTS | {"minItems": 1})
CUSTOM = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): closed(
        ["selector", "endpoints"],
        namespaceSelector=NAMESPACES,
        selector=SELECTOR,
        endpoints={
            "type": "array",
            "minItems": 1,
            "items": closed(**ENDPOINT, port={"type": "string"}, targetPort={"type": ["string", "integer"]}),
        },
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): closed(
        ["selector", "podMetricsEndpoints"],
        namespaceSelector=NAMESPACES,
        selector=SELECTOR,
        podMetricsEndpoints={
            "type": "array",
            "minItems": 1,
            "items": closed(["port"], **ENDPOINT, port={"type": "string"}),
        },
    ),
    ("monitoring.coreos.com/v1alpha1", "ScrapeConfig"): closed(
        **HTTP,
        metricsPath={"type": "string", "pattern": "^/"},
        scheme={"enum": ["HTTP", "HTTPS"]},
        scrapeInterval=DURATION,
        staticConfigs={"type": "array", "items": closed(["targets"], targets=TEXTS | {"minItems": 1})},
        httpSDConfigs={
            "type": "array",
            "items": closed(
                ["url"],
                url={"type": "string", "pattern": "^https?://"},
                basicAuth=HTTP["basicAuth"],
                tlsConfig=HTTP["tlsConfig"],
            ),
        },
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): closed(
        ["groups"],
        groups={
            "type": "array",
            "minItems": 1,
            "items": closed(
                ["name", "rules"],
                name={"type": "string"},
                rules={
                    "type": "array",
                    "items": {
                        **closed(
                            ["expr"],
                            alert={"type": "string"},
                            record={"type": "string"},
                            expr={"type": "string"},
                            labels={"type": "object", "additionalProperties": {"type": "string"}},
                            annotations={"type": "object", "additionalProperties": {"type": "string"}},
                            **{"for": DURATION},
                        ),
                        "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
                    },
                },
            ),
        },
    ),
}


@for_each_variant
def documents_are_valid(parts):
    found = documents(*parts)
    assert found
    identities = [(it["kind"], it["metadata"].get("namespace"), it["metadata"]["name"]) for it in found]
    assert len(identities) == len(set(identities)), "two documents have the same name"
    for document in found:
        name = document["metadata"]["name"]
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name), name
        custom = CUSTOM.get((document["apiVersion"], document["kind"]))
        if custom:
            assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
            jsonschema.validate(document["spec"], custom)
        else:
            for version in KUBERNETES:
                kubernetes_validate.validate(document, version, strict=True)


@for_each_variant
def the_pods_are_restricted(parts):
    for _, pod in pods(documents(*parts)):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected"}
        assert all(set(volume) - {"name"} <= allowed for volume in spec["volumes"]), spec["volumes"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"] + spec.get("initContainers", []):
            its = container["securityContext"]
            assert its["allowPrivilegeEscalation"] is False
            assert its["capabilities"] == {"drop": ["ALL"]}
            assert not its.get("privileged")
            if container["name"] != "proxy":  # Kong writes files
                assert its["readOnlyRootFilesystem"] is True


@check
def the_user_is_that_of_the_image():
    user, group = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.M).groups()
    (_, pod), = pods(documents())
    context = pod["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user), int(group))


@for_each_variant
def selectors_match_and_references_exist(parts):
    found = documents(*parts)
    workloads = pods(found)

    def selects(selector, labels):
        return selector and all(labels.get(key) == value for key, value in selector.items())

    def exists(kind, name):
        return any(it["kind"] == kind and it["metadata"]["name"] == name for it in found)

    for workload, pod in workloads:
        labels = pod["metadata"]["labels"]
        assert selects(workload["spec"]["selector"]["matchLabels"], labels)
        for constraint in pod["spec"].get("topologySpreadConstraints", []):
            assert selects(constraint["labelSelector"]["matchLabels"], labels)
        if "serviceAccountName" in pod["spec"]:
            assert exists("ServiceAccount", pod["spec"]["serviceAccountName"])
        if workload["kind"] == "StatefulSet":
            assert exists("Service", workload["spec"]["serviceName"])
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        claims = {it["metadata"]["name"] for it in workload["spec"].get("volumeClaimTemplates", [])}
        for container in pod["spec"]["containers"]:
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= set(volumes) | claims, mounted
        for name in ("settings", "crossfade"):
            if name in volumes:
                assert exists("ConfigMap", volumes[name]["configMap"]["name"])
    ours = [
        (workload, pod)
        for workload, pod in workloads
        if "app.kubernetes.io/instance" in pod["metadata"]["labels"]
    ]
    for document in found:
        spec, kind = document.get("spec", {}), document["kind"]
        if kind == "Service":
            selector = spec["selector"]
        elif kind == "PodDisruptionBudget":
            selector = spec["selector"]["matchLabels"]
        elif kind == "NetworkPolicy":
            selector = spec["podSelector"]["matchLabels"]
        else:
            continue
        assert ours and all(selects(selector, pod["metadata"]["labels"]) for _, pod in ours), kind
    for scaler in (it for it in found if it["kind"] == "HorizontalPodAutoscaler"):
        assert exists("Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in one(found, "Deployment")["spec"]
    services = [it["metadata"]["labels"] for it in found if it["kind"] == "Service"]
    for monitor in (it for it in found if it["kind"] in ("ServiceMonitor", "PodMonitor")):
        selector = monitor["spec"]["selector"]["matchLabels"]
        if monitor["metadata"]["name"] not in {it["metadata"]["name"] for it, _ in ours}:
            continue  # of Kong
        matching = services if monitor["kind"] == "ServiceMonitor" else [it["metadata"]["labels"] for _, it in ours]
        assert sum(selects(selector, labels) for labels in matching) == 1, selector


@for_each_variant
def ports_agree_with_the_settings(parts):
    found = documents(*parts)
    its, _ = settings(found)

    def port(address):
        return int(address.rsplit(":", 1)[1])

    admin = port(its["admin"]["listen_address"])
    expected = {("TCP", admin)}
    if its.get("targets") or its.get("allow"):
        expected.add(("TCP", port(its["web"]["listen_address"])))
    for listener in its.get("statsd", {}).get("listen", []):
        scheme, rest = listener["address"].split("://")
        expected.add((scheme.upper(), port(rest)))
    containers = list(crossfades(found))
    for container, _ in containers:
        ports = container["ports"]
        assert {(it["protocol"], it["containerPort"]) for it in ports} == expected
        names = {it["name"]: it["containerPort"] for it in ports}
        assert len(names) == len(ports) and all(len(name) <= 15 for name in names)
        for probe in filter(None, map(container.get, ("livenessProbe", "readinessProbe"))):
            if "httpGet" in probe:
                assert names[probe["httpGet"]["port"]] == admin
                assert not its["admin"]["listen_address"].startswith("127.")
            else:
                assert f"://127.0.0.1:{admin}/-/" in " ".join(probe["exec"]["command"])
        for service in (it for it in found if it["kind"] == "Service"):
            for it in service["spec"]["ports"]:
                assert names[it["targetPort"]] == it["port"], it
        served = {
            (it["protocol"], it["port"])
            for service in found
            if service["kind"] == "Service"
            for it in service["spec"]["ports"]
        }
        if "Sidecar" != values(*parts).get("kind"):
            assert served == expected, (served, expected)
        for policy in (it for it in found if it["kind"] == "NetworkPolicy"):
            opened = {it["port"] for rule in policy["spec"]["ingress"] for it in rule["ports"]}
            assert opened == set(names)
        mount = next(it for it in container["volumeMounts"] if it["mountPath"] == "/etc/crossfade")
        assert f"--config.file={mount['mountPath']}/crossfade.yaml" in container["args"]


def binary():
    """The program of the last build."""
    metadata = ["cargo", "metadata", "--format-version=1", "--no-deps", "--offline"]
    output = subprocess.run(metadata, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    path = Path(json.loads(output)["target_directory"]) / "debug/crossfade"
    assert path.exists(), f"{path} does not exist: run cargo build"
    return path


@for_each_variant
def the_settings_have_no_errors(parts):
    found = documents(*parts)
    _, files = settings(found)
    # Variables that the container gets from Secrets.
    names = re.findall(r"\$\{(\w+)\}", files["crossfade.yaml"])
    variables = os.environ | {name: "secret" for name in names}
    for container, _ in crossfades(found):
        given = {it["name"] for it in container.get("env", [])}
        assert set(names) <= given, set(names) - given
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        command = [binary(), "check", "config", "--syntax-only", f"{folder}/crossfade.yaml"]
        result = subprocess.run(command, env=variables, capture_output=True, text=True)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output


def size(text):
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi)B?", text).groups()
    return int(number) * units[unit]


@for_each_variant
def the_memory_limit_is_three_times_that_of_the_scrapes(parts):
    found = documents(*parts)
    held = settings(found)[0]["limits"]["all_held_bytes"]
    for container, _ in crossfades(found):
        assert size(container["resources"]["limits"]["memory"]) >= 3 * size(held)


@for_each_variant
def the_pods_have_time_to_stop(parts):
    text = (ROOT / "docs/settings.md").read_text()
    timeout = int(re.search(r"`runtime.shutdown_timeout` \| duration \| `(\d+)s`", text)[1])
    for container, pod in crossfades(documents(*parts)):
        if "terminationGracePeriodSeconds" in pod["spec"]:  # not in Kong's pods
            sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert pod["spec"]["terminationGracePeriodSeconds"] > timeout + sleep


@check
def changed_settings_restart_the_pods_unless_a_reloader_runs():
    def annotations(*sources):
        (_, pod), = pods(documents(*sources))
        return pod["metadata"].get("annotations", {})

    before = annotations()
    assert before == annotations("replicas: 5")
    assert before != annotations("settings: { buckets: common }")
    packs = ["tls", "packs: { ours.yaml: 'name: theirs' }"]
    assert annotations("tls") != annotations(*packs)
    reloader = "configReloader: { enabled: true }"
    assert annotations(reloader) == annotations(reloader, "settings: { buckets: common }") == {}
    found = documents(reloader, "settings: { admin: { listen_address: ':9600' } }")
    assert settings(found)[0]["web"]["enable_lifecycle"] is True
    (_, pod), = pods(found)
    container = pod["spec"]["containers"][1]
    assert "--reload-url=http://127.0.0.1:9600/-/reload" in container["args"]
    assert "--watched-dir=/etc/crossfade" in container["args"]


@check
def probes_log_in_if_there_are_users():
    container, _ = next(crossfades(documents("tls")))
    assert container["readinessProbe"]["exec"]["command"] == [
        "/crossfade",
        "health",
        "--url=https://127.0.0.1:9543/-/ready",
        "--web.config.file=/etc/crossfade-web/web.yaml",
        "--basic-auth.username=probe",
        "--basic-auth.password-file=/etc/crossfade-web/probe-password",
    ]
    # The flags exist.
    arguments = container["livenessProbe"]["exec"]["command"][1:]
    result = subprocess.run([binary(), *arguments], capture_output=True, text=True)
    assert "cannot read" in result.stderr or "/etc/crossfade-web/web.yaml" in result.stderr, result


# ── How Prometheus reaches Kong ───────────────────────────────────────────────────────────────────


def relabeled(labels, rules):
    """The labels after relabelling as in Prometheus. `None`: the target is dropped."""
    for rule in rules:
        source = ";".join(labels.get(name, "") for name in rule.get("sourceLabels", []))
        match = re.fullmatch(rule.get("regex", "(.*)"), source)
        action = rule.get("action", "replace")
        if action == "keep":
            if not match:
                return None
        elif action == "hashmod":
            digest = int.from_bytes(hashlib.md5(source.encode()).digest()[8:], "big")
            labels[rule["targetLabel"]] = str(digest % rule["modulus"])
        elif action == "replace":
            if match:
                replacement = re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1"))
                labels[rule["targetLabel"]] = match.expand(replacement)
        else:
            raise AssertionError(action)
    return labels


def scrape(monitor, address, path="/metrics"):
    """How Prometheus scrapes an address that a monitor has found: URL, proxy, labels."""
    spec = monitor["spec"]
    endpoint, = spec.get("podMetricsEndpoints") or spec.get("endpoints") or [spec]
    params = {f"__param_{key}": it[0] for key, it in endpoint.get("params", {}).items()}
    path = endpoint.get("path") or endpoint.get("metricsPath") or path
    labels = {"__address__": address, "__metrics_path__": path, **params}
    labels = relabeled(labels, endpoint.get("relabelings", []))
    if labels is None:
        return None
    labels.setdefault("instance", labels["__address__"])
    scheme = endpoint.get("scheme", "http").lower()
    query = [f"{key[8:]}={it}" for key, it in sorted(labels.items()) if key.startswith("__param_")]
    url = f"{scheme}://{labels['__address__']}{labels['__metrics_path__']}"
    url += "?" + "&".join(query) if query else ""
    return url, endpoint.get("proxyUrl"), labels


@check
def proxy_scrapes_the_address_of_the_pod():
    found = documents("proxy", namespace="metrics")
    url, proxy, labels = scrape(one(found, "PodMonitor", "crossfade-kong"), "10.1.2.3:8100")
    assert (url, proxy) == ("http://10.1.2.3:8100/metrics", "http://crossfade.metrics.svc:9542")
    assert (labels["instance"], labels["job"]) == ("10.1.2.3:8100", "kong")


@check
def probe_names_the_target_and_keeps_its_instance():
    found = documents("probe")
    url, proxy, labels = scrape(one(found, "PodMonitor", "crossfade-kong"), "10.1.2.3:8100")
    assert url == "http://crossfade.monitoring.svc:9542/probe?target=10.1.2.3:8100" and not proxy
    assert labels["instance"] == "10.1.2.3:8100"
    # By which the operator distributes targets over the shards of Prometheus.
    assert labels["__tmp_hash"] == "10.1.2.3:8100"
    config = one(found, "ScrapeConfig")
    target, = config["spec"]["staticConfigs"][0]["targets"]
    url, _, labels = scrape(config, target)
    assert url == (
        "http://crossfade.monitoring.svc:9542/probe?module=admin"
        "&target=https://kong-admin.kong.svc:8444/metrics"
    )
    assert labels["instance"] == "kong-admin:8444"
    path = "kongMonitors: [{ name: kong, placement: probe, path: /status/metrics }]"
    url, _, _ = scrape(one(documents(path), "PodMonitor"), "10.1.2.3:8100")
    assert url.endswith("/probe?target=10.1.2.3:8100/status/metrics")


@check
def substitution_discovers_the_targets():
    config = one(documents("substitution"), "ScrapeConfig")
    assert config["spec"]["httpSDConfigs"] == [{"url": "http://crossfade.monitoring.svc:9542/sd"}]
    address, path = "crossfade.monitoring.svc:9542", "/targets/kong-vm-1/metrics"
    url, _, labels = scrape(config, address, path)
    assert url == f"http://{address}{path}"
    assert (labels["__tmp_hash"], labels["job"]) == (path, "kong")


@check
def a_sidecar_is_scraped_as_kong():
    monitor = "kongMonitors: [{ name: kong, placement: sidecar }]"
    url, proxy, labels = scrape(one(documents("sidecar", monitor), "PodMonitor", "crossfade-kong"), "10.1.2.3:8100")
    assert (url, proxy, labels["instance"]) == ("http://10.1.2.3:8100/metrics", None, "10.1.2.3:8100")


@check
def tls_applies_to_every_request():
    found = documents("tls")
    url, _, _ = scrape(one(found, "PodMonitor"), "10.1.2.3:8100")
    assert url.startswith("https://crossfade.monitoring.svc:9542/probe")
    assert one(found, "ServiceMonitor")["spec"]["endpoints"][0]["scheme"] == "https"
    endpoint = {"basicAuth": {"username": {"name": "a"}, "password": {"name": "a"}}}
    monitor = {"name": "kong", "placement": "substitution", "endpoint": endpoint}
    target = {"settings": {"targets": [{"url": "http://kong:8100"}]}, "kongMonitors": [monitor]}
    spec = one(documents("tls", target), "ScrapeConfig")["spec"]
    assert spec["scheme"] == "HTTPS" and spec["basicAuth"] == endpoint["basicAuth"]
    assert spec["httpSDConfigs"] == [{"url": "https://crossfade.monitoring.svc:9542/sd", **endpoint}]


def replica_hosts(found):
    """The addresses of the replicas of the StatefulSet."""
    workload = one(found, "StatefulSet")
    service, name = workload["spec"]["serviceName"], workload["metadata"]["name"]
    count = workload["spec"]["replicas"]
    return {f"{name}-{replica}.{service}.monitoring.svc:9542" for replica in range(count)}


@check
def each_target_has_one_replica():
    addresses = [f"10.1.{third}.{fourth}:8100" for third in range(4) for fourth in range(50)]
    found = documents("sharded")
    hosts = replica_hosts(found)
    monitors = [it for it in found if it["kind"] == "PodMonitor"]
    used = {}
    for address in addresses:
        scrapes = [it for it in (scrape(monitor, address) for monitor in monitors) if it]
        (url, proxy, labels), = scrapes
        assert url == f"http://{address}/metrics" and labels["job"] == "kong"
        used.setdefault(proxy.removeprefix("http://"), []).append(address)
    assert set(used) == hosts and min(map(len, used.values())) > len(addresses) / 5
    # Without a name of the job, the replicas still have the same.
    jobs = {
        scrape(monitor, address)[2]["job"]
        for monitor in documents("sharded", "kongMonitors: [{ name: kong, placement: proxy }]")
        if monitor["kind"] == "PodMonitor"
        for address in addresses
        if scrape(monitor, address)
    }
    assert jobs == {"monitoring/crossfade-kong"}
    # The other placements relabel the address.
    probe = one(documents("sharded", "kongMonitors: [{ name: kong, placement: probe }]"), "PodMonitor")
    scrapes = [scrape(probe, address) for address in addresses]
    assert {labels["__address__"] for _, _, labels in scrapes} == hosts
    assert [labels["__tmp_hash"] for _, _, labels in scrapes] == addresses
    assert [labels["instance"] for _, _, labels in scrapes] == addresses
    targets = [{"name": f"kong-{n}", "url": f"http://kong-{n}:8100"} for n in range(30)]
    given = {"settings": {"targets": targets}, "kongMonitors": [{"name": "kong", "placement": "substitution"}]}
    config = one(documents("sharded", given), "ScrapeConfig")
    scrapes = [scrape(config, "crossfade.monitoring.svc:9542", f"/targets/kong-{n}/metrics") for n in range(30)]
    assert {labels["__address__"] for _, _, labels in scrapes} == hosts


@check
def releases_of_kong_have_their_own_monitors():
    found = documents("releases")
    spec = one(found, "ServiceMonitor")["spec"]
    assert spec["namespaceSelector"] == {"matchNames": ["kong-internal"]}
    assert spec["endpoints"][0]["targetPort"] == "status" and "port" not in spec["endpoints"][0]
    url, _, labels = scrape(one(found, "PodMonitor", "crossfade-partners"), "10.1.2.3:8100")
    assert "module=partners" in url and labels["job"] == "kong-partners"
    edge = one(found, "PodMonitor", "crossfade-edge")["spec"]
    assert edge["podMetricsEndpoints"][0]["interval"] == "15s"
    assert edge["selector"]["matchLabels"]["app.kubernetes.io/instance"] == "edge"


@check
def own_metrics_have_the_job_of_the_alerts():
    found = documents("proxy", "podMonitor: { enabled: true }")
    for monitor in (one(found, "ServiceMonitor"), one(found, "PodMonitor", "crossfade")):
        url, _, labels = scrape(monitor, "10.1.2.3:9543")
        assert (url, labels["job"]) == ("http://10.1.2.3:9543/metrics", "crossfade")


# ── Rules, dashboard, network ─────────────────────────────────────────────────────────────────────


@check
def the_rules_are_those_of_the_alerts_file():
    alerts = yaml.safe_load((ROOT / "deploy/alerts.yaml").read_text())
    spec = one(documents("proxy"), "PrometheusRule")["spec"]
    assert spec == alerts
    renamed = one(documents("proxy", "nameOverride: gateway"), "PrometheusRule")["spec"]
    text = json.dumps(renamed)
    assert 'job=\\"gateway\\"' in text and 'job=\\"crossfade\\"' not in text
    rule = {"alert": "Ours", "expr": "vector(1)"}
    options = {"disabled": ["CrossfadeDown"], "alertLabels": {"team": "a"}, "extraRules": [rule]}
    groups = one(documents("proxy", {"prometheusRule": options}), "PrometheusRule")["spec"]["groups"]
    kept = [it for group in groups for it in group["rules"]]
    names = {it.get("alert") for it in kept}
    assert "CrossfadeDown" not in names and {"CrossfadePanics", "Ours"} <= names
    panics = next(it for it in kept if it.get("alert") == "CrossfadePanics")
    assert panics["labels"] == {"severity": "warning", "team": "a"}


@check
def promtool_accepts_the_rules():
    spec = one(documents("proxy"), "PrometheusRule")["spec"]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(spec, file)
        file.flush()
        result = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@check
def the_dashboard_is_that_of_the_file():
    dashboard = one(documents("proxy"), "ConfigMap", "crossfade-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    text, = dashboard["data"].values()
    assert json.loads(text) == json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())


def rules(policy, direction, peers):
    """What a policy allows: pairs of a peer (as JSON, or `all`) and a port."""
    found = set()
    for rule in policy["spec"][direction]:
        for peer in rule.get(peers, ["all"]):
            peer = peer if peer == "all" else json.dumps(peer, sort_keys=True)
            found |= {(peer, f"{it['protocol']}/{it['port']}") for it in rule["ports"]}
    return found


@check
def the_network_policy_is_that_of_the_allow_list():
    text = """
    networkPolicy: { enabled: true, egress: { kong: [{ podSelector: {} }] } }
    settings:
      allow:
        - { cidr: 10.0.0.0/8, ports: [8100, 8101] }
        - { cidr: 192.0.2.1, ports: [8100] }
        - { cidr: "2001:db8::1", ports: [8100] }
        - { host: "*.kong.svc", ports: [8444] }
        - { host: kong.example, cidr: 198.51.100.0/24, ports: [80] }
      targets:
        - { name: a, url: "http://kong-1:8001/metrics" }
        - { name: b, url: "https://kong-2" }
        - { name: c, url: "http://203.0.113.7:8100/metrics" }
        - { name: d, url: "http://[2001:db8::2]/metrics" }
    """
    policy = one(documents(text), "NetworkPolicy")

    def block(cidr):
        return json.dumps({"ipBlock": {"cidr": cidr}})

    kong = json.dumps({"podSelector": {}})
    assert rules(policy, "egress", "to") == {
        ("all", "UDP/53"),
        ("all", "TCP/53"),
        (block("10.0.0.0/8"), "TCP/8100"),
        (block("10.0.0.0/8"), "TCP/8101"),
        (block("192.0.2.1/32"), "TCP/8100"),
        (block("2001:db8::1/128"), "TCP/8100"),
        (block("198.51.100.0/24"), "TCP/80"),
        (block("203.0.113.7/32"), "TCP/8100"),
        (block("2001:db8::2/128"), "TCP/80"),
        (kong, "TCP/8444"),
        (kong, "TCP/8001"),
        (kong, "TCP/443"),
    }
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    statsd = one(documents("statsd"), "NetworkPolicy")
    sink = json.dumps({"podSelector": {"matchLabels": {"app.kubernetes.io/name": "statsd"}}})
    assert (sink, "UDP/8125") in rules(statsd, "egress", "to")
    senders = {peer for peer, port in rules(statsd, "ingress", "from") if port == "UDP/udp-8125"}
    assert len(senders) == 1 and "all" not in senders
    prometheus = rules(one(documents("proxy"), "NetworkPolicy"), "ingress", "from")
    assert prometheus and not [peer for peer, _ in prometheus if peer == "all"]


# ── Kinds ─────────────────────────────────────────────────────────────────────────────────────────


@check
def each_kind_has_its_objects():
    found = documents("statsd")
    one(found, "DaemonSet")
    for kind in ("Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        none(found, kind)
    assert one(found, "Service", "crossfade-statsd")["spec"]["internalTrafficPolicy"] == "Local"
    found = documents("sharded")
    claim, = one(found, "StatefulSet")["spec"]["volumeClaimTemplates"]
    container, _ = next(crossfades(found))
    mount = next(it for it in container["volumeMounts"] if it["name"] == claim["metadata"]["name"])
    assert settings(found)[0]["scrape"]["state_file"].startswith(mount["mountPath"] + "/")
    assert not [it for it in pods(found)[0][1]["spec"]["volumes"] if it["name"] == "state"]
    found = documents("sidecar")
    assert {it["kind"] for it in found} == {"ConfigMap", "PodMonitor"}
    found = documents("stateFile: { enabled: true }")
    (_, pod), = pods(found)
    assert {"name": "state", "emptyDir": {"sizeLimit": "64Mi"}} in pod["spec"]["volumes"]
    service = one(documents(), "Service", "crossfade")["spec"]
    assert service["sessionAffinity"] == "ClientIP"
    none(documents("serviceAccount: { create: false }"), "ServiceAccount")
    none(documents("podDisruptionBudget: { enabled: false }"), "PodDisruptionBudget")


@check
def the_notes_of_a_sidecar_have_the_container():
    notes = rendered("sidecar", namespace="kong")["NOTES.txt"]
    block = re.search(r"# values of Kong's chart\n(.*?)# end of the values", notes, re.S)[1]
    deployment = yaml.safe_load(block)["deployment"]
    whole = documents("sidecar", "sidecar-deployment", namespace="kong")
    container, pod = next(crossfades(whole))
    assert deployment["sidecarContainers"] == [container]
    assert deployment["userDefinedVolumes"] == pod["spec"]["volumes"]
    kong = next(it for it in pod["spec"]["containers"] if it["name"] == "proxy")
    target, = settings(whole)[0]["targets"]
    environment = {it["name"]: it["value"] for it in kong["env"]}
    assert f"http://{environment['KONG_STATUS_LISTEN']}/metrics" == target["url"]
    paths = {kong[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")}
    assert paths == set(target["passthrough"])


@check
def other_names_do_not_collide():
    names = {it["metadata"]["name"] for it in documents("proxy", name="blue")}
    assert {"blue-crossfade", "blue-crossfade-admin"} <= names
    long = documents("sharded", name="r" * 53)
    assert all(len(it["metadata"]["name"]) <= 63 for it in long)
    named = documents({"fullnameOverride": "gateway", "namespaceOverride": "edge"}, "proxy")
    assert one(named, "Deployment")["metadata"]["namespace"] == "edge"
    assert scrape(one(named, "PodMonitor"), "a:1")[1] == "http://gateway.edge.svc:9542"


# ── Plain manifests ───────────────────────────────────────────────────────────────────────────────


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
            lines = [it for it in lines if not re.match(r"\s+(helm.sh/chart|app.kubernetes.io/managed-by):", it)]
            # Objects of the Prometheus operator are for those who have it.
            if lines and not any(it.startswith("apiVersion: monitoring.coreos.com") for it in lines):
                result += "---\n" + "\n".join(lines) + "\n"
    return result


@for_each(**{name: name for name in PLAIN})
def the_manifest_is_rendered_from_the_chart(name):
    text = (MANIFESTS / f"{name}.yaml").read_text()
    assert text == manifest(name), "run tests/deploy/chart.py --write"


@check
def every_manifest_is_known():
    assert {path.stem for path in MANIFESTS.glob("*.yaml")} == set(PLAIN)


def write():
    MANIFESTS.mkdir(exist_ok=True)
    for name in PLAIN:
        (MANIFESTS / f"{name}.yaml").write_text(manifest(name))
    readme = CHART / "README.md"
    readme.write_text(TABLE.sub(lambda _: table(), readme.read_text()))


def main():
    if sys.argv[1:] == ["--write"]:
        write()
        return 0
    passed, failed = 0, 0
    for name, function in checks:
        try:
            function()
            passed += 1
        except Exception as error:  # a bug of a check is a failure too
            failed += 1
            print(f"test {name} ... FAILED")
            print("    " + traceback.format_exc(limit=-2).replace("\n", "\n    "))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Checks of all rendered documents, for each example and for options that no example has."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import jsonschema
import kubernetes_validate

from custom_resources import CUSTOM
from harness import (
    ROOT,
    check,
    crossfades,
    documents,
    for_each_variant,
    one,
    pods,
    settings,
    values,
)

# The oldest version in which every rendered key exists, and the newest that the schemas cover.
KUBERNETES = ["1.30", "1.37"]


@for_each_variant
def documents_are_valid(parts):
    found = documents(*parts)
    assert found
    identities = [
        (it["kind"], it["metadata"].get("namespace"), it["metadata"]["name"]) for it in found
    ]
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
    ((_, pod),) = pods(documents())
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
        matching = (
            services
            if monitor["kind"] == "ServiceMonitor"
            else [it["metadata"]["labels"] for _, it in ours]
        )
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
        endpoints = {"livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
        for probe, path in endpoints.items():
            if probe not in container:
                assert probe == "readinessProbe" and values(*parts)["kind"] == "Sidecar"
            elif "httpGet" in container[probe]:
                request = container[probe]["httpGet"]
                assert (names[request["port"]], request["path"]) == (admin, path)
                assert not its["admin"]["listen_address"].startswith("127.")
            else:
                command = container[probe]["exec"]["command"]
                assert re.fullmatch(rf"--url=https?://127.0.0.1:{admin}{path}", command[2])
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
        ((_, pod),) = pods(documents(*sources))
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
    ((_, pod),) = pods(found)
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
    found = documents("tls")
    ((_, pod),) = pods(found)
    volume = next(it for it in pod["spec"]["volumes"] if it["name"] == "web")
    assert volume["secret"] == {"secretName": "crossfade-web"}
    mount = next(it for it in container["volumeMounts"] if it["name"] == "web")
    assert settings(found)[0]["web"]["config_file"] == f"{mount['mountPath']}/web.yaml"
    # The flags exist.
    arguments = container["livenessProbe"]["exec"]["command"][1:]
    result = subprocess.run([binary(), *arguments], capture_output=True, text=True)
    assert "cannot read" in result.stderr or "/etc/crossfade-web/web.yaml" in result.stderr, result

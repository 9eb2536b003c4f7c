"""Checks of how Prometheus reaches Kong and Crossfade, and of its rules."""

import hashlib
import json
import re
import subprocess
import tempfile

import yaml

from harness import ROOT, check, documents, one


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
    (endpoint,) = spec.get("podMetricsEndpoints") or spec.get("endpoints") or [spec]
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
    (target,) = config["spec"]["staticConfigs"][0]["targets"]
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
    url, proxy, labels = scrape(
        one(documents("sidecar", monitor), "PodMonitor", "crossfade-kong"), "10.1.2.3:8100"
    )
    assert (url, proxy, labels["instance"]) == (
        "http://10.1.2.3:8100/metrics",
        None,
        "10.1.2.3:8100",
    )


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
    assert spec["httpSDConfigs"] == [
        {"url": "https://crossfade.monitoring.svc:9542/sd", **endpoint}
    ]


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
        ((url, proxy, labels),) = scrapes
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
    probe = one(
        documents("sharded", "kongMonitors: [{ name: kong, placement: probe }]"), "PodMonitor"
    )
    scrapes = [scrape(probe, address) for address in addresses]
    assert {labels["__address__"] for _, _, labels in scrapes} == hosts
    assert [labels["__tmp_hash"] for _, _, labels in scrapes] == addresses
    assert [labels["instance"] for _, _, labels in scrapes] == addresses
    targets = [{"name": f"kong-{n}", "url": f"http://kong-{n}:8100"} for n in range(30)]
    given = {
        "settings": {"targets": targets},
        "kongMonitors": [{"name": "kong", "placement": "substitution"}],
    }
    config = one(documents("sharded", given), "ScrapeConfig")
    scrapes = [
        scrape(config, "crossfade.monitoring.svc:9542", f"/targets/kong-{n}/metrics")
        for n in range(30)
    ]
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
    groups = one(documents("proxy", {"prometheusRule": options}), "PrometheusRule")["spec"][
        "groups"
    ]
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
        result = subprocess.run(
            ["promtool", "check", "rules", file.name], capture_output=True, text=True
        )
    assert result.returncode == 0, result.stdout + result.stderr


@check
def the_dashboard_is_that_of_the_file():
    dashboard = one(documents("proxy"), "ConfigMap", "crossfade-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = dashboard["data"].values()
    assert json.loads(text) == json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())

"""Checks of the network policy, and of what each kind of installation has."""

import json
import re

import yaml

from harness import check, crossfades, documents, none, one, pods, rendered, settings
from prometheus import scrape


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


@check
def each_kind_has_its_objects():
    found = documents("statsd")
    one(found, "DaemonSet")
    for kind in ("Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"):
        none(found, kind)
    assert one(found, "Service", "crossfade-statsd")["spec"]["internalTrafficPolicy"] == "Local"
    found = documents("sharded")
    (claim,) = one(found, "StatefulSet")["spec"]["volumeClaimTemplates"]
    container, _ = next(crossfades(found))
    mount = next(it for it in container["volumeMounts"] if it["name"] == claim["metadata"]["name"])
    assert settings(found)[0]["scrape"]["state_file"].startswith(mount["mountPath"] + "/")
    assert not [it for it in pods(found)[0][1]["spec"]["volumes"] if it["name"] == "state"]
    found = documents("sidecar")
    assert {it["kind"] for it in found} == {"ConfigMap", "PodMonitor"}
    found = documents("stateFile: { enabled: true }")
    ((_, pod),) = pods(found)
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
    (target,) = settings(whole)[0]["targets"]
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

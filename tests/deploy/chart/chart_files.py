"""Checks of the chart's own files, and that wrong values are refused."""

import json
import re

import helm_python
import yaml

from harness import (
    CHART,
    ROOT,
    check,
    crossfades,
    documents,
    for_each,
    refused,
    rendered,
)


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
def the_folder_renders_as_the_package():
    for parts in (["proxy"], ["statsd"]):
        assert rendered(*parts, chart=CHART) == rendered(*parts)


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


def write_table():
    readme = CHART / "README.md"
    readme.write_text(TABLE.sub(lambda _: table(), readme.read_text()))


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
    assert TABLE.search(readme)[0] == table(), "run tests/deploy/chart --write"


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
    inner = {
        key.removeprefix("targets[].") for key in allowed if re.match(r"targets\[\]\.\w+\.", key)
    }
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
    an_unknown_setting_of_a_target=(
        "nmae",
        "settings: { targets: [{ url: 'http://a', nmae: a }] }",
    ),
    an_unknown_setting_of_a_module=("emti", "settings: { modules: { a: { emti: new } } }"),
    an_edition_as_a_number=("/settings/emit", "settings: { emit: 3.0 }"),
    an_octal_number=(
        "/mode",
        "settings: { statsd: { listen: [{ address: 'unixgram:/a', mode: 0722 }] } }",
    ),
    a_target_without_a_url=("'url'", "settings: { targets: [{ name: a }] }"),
    another_kind=("/kind", "kind: Pod"),
    replicas_as_text=("/replicas", "replicas: two"),
    another_placement=(
        "/kongMonitors/0/placement",
        "kongMonitors: [{ name: a, placement: tunnel }]",
    ),
    a_monitor_without_a_placement=("'placement'", "kongMonitors: [{ name: a }]"),
    an_unknown_key_of_a_monitor=(
        "'proxy'",
        "kongMonitors: [{ name: a, placement: probe, proxy: b }]",
    ),
    a_name_that_is_none=("/kongMonitors/0/name", "kongMonitors: [{ name: A b, placement: proxy }]"),
    a_path_without_a_slash=(
        "/path",
        "kongMonitors: [{ name: a, placement: proxy, path: metrics }]",
    ),
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
    sockets_of_systemd=("a container gets", "settings: { web: { systemd_socket: true } }"),
    a_prefix=("have no prefix", "settings: { web: { route_prefix: /a } }"),
    a_prefix_of_a_url=("have no prefix", "settings: { web: { external_url: 'https://a/b' } }"),
    a_reloader_without_a_user=("cannot log in", "tls", "configReloader: { enabled: true }"),
    scaling_of_shards=("only for kind: Deployment", "sharded", "autoscaling: { enabled: true }"),
    a_state_of_a_node=("stateFile", "statsd", "stateFile: { enabled: true }"),
    a_monitor_of_loopback=("loopback", "loopback_admin"),
    a_monitor_without_a_service=("use podMonitor", "sidecar", "serviceMonitor: { enabled: true }"),
    a_proxy_without_an_allow_list=("settings.allow", "substitution", "proxy_monitor"),
    targets_that_are_not_there=(
        "settings.targets",
        "kongMonitors: [{ name: a, placement: substitution }]",
    ),
    a_monitor_without_targets=(
        "no targets",
        "kongMonitors: [{ name: a, placement: probe, discovery: targets }]",
    ),
    a_proxy_in_a_sidecar=("placement: sidecar", "sidecar", "proxy_of_sidecar"),
    two_monitors_of_one_name=(
        "two items",
        "kongMonitors: [{ name: a, placement: proxy }, { name: a, placement: probe }]",
    ),
    names_without_peers=(
        "egress.kong",
        "networkPolicy: { enabled: true }",
        "settings: { allow: [{ host: a, ports: [1] }] }",
    ),
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

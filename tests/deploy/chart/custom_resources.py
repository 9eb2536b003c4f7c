"""What the chart may use of the Prometheus operator's objects. Kubernetes has no schemas for them."""

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
        action={
            "enum": ["replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep"]
        },
    ),
}
DURATION = {"type": "string", "pattern": "^([0-9]+(ms|[smhdwy]))+$"}
HTTP = {
    "params": {"type": "object", "additionalProperties": TEXTS},
    "relabelings": RELABELINGS,
    "metricRelabelings": RELABELINGS,
    "basicAuth": closed(
        ["username", "password"], username={"type": "object"}, password={"type": "object"}
    ),
    "tlsConfig": closed(
        ca={"type": "object"},
        cert={"type": "object"},
        keySecret={"type": "object"},
        serverName={"type": "string"},
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
            "items": closed(
                **ENDPOINT, port={"type": "string"}, targetPort={"type": ["string", "integer"]}
            ),
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
        staticConfigs={
            "type": "array",
            "items": closed(["targets"], targets=TEXTS | {"minItems": 1}),
        },
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
                            annotations={
                                "type": "object",
                                "additionalProperties": {"type": "string"},
                            },
                            **{"for": DURATION},
                        ),
                        "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
                    },
                },
            ),
        },
    ),
}

"""A Flask application with the OpenTelemetry instrumentation, and the exporter for Prometheus.

OTEL_SEMCONV_STABILITY_OPT_IN selects the convention. `/item/MS` takes so many milliseconds, and each
request one more, of a clock of its own, so that two of these measure the same. Prints the ports of the application and of its
metrics.
"""

import threading

from flask import Flask
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation import flask as instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server
from werkzeug.serving import make_server

now = 0.0
instrumentation.default_timer = lambda: now

metrics.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
app = Flask("shop")
instrumentation.FlaskInstrumentor().instrument_app(app)


def take(milliseconds):
    global now
    now += milliseconds / 1000


@app.before_request
def begin():
    take(1)


@app.route("/item/<int:milliseconds>")
def item(milliseconds):
    take(milliseconds)
    return "x" * milliseconds


@app.route("/fail/<int:milliseconds>")
def fail(milliseconds):
    take(milliseconds)
    return "no", 500


server = make_server("127.0.0.1", 0, app)
exporter, _ = start_http_server(0, "127.0.0.1")
print(server.port, exporter.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
# The test holds the other end.
input()

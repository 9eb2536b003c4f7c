"""An application with the client library for Python, which has exemplars in OpenMetrics.

Prints the ports of the application (none) and of its metrics.
"""

from prometheus_client import Counter, Histogram, Info, start_http_server

orders = Counter("shop_orders", "Orders.", ["kind"])
took = Histogram("shop_took_seconds", "Time.", unit="seconds", buckets=[0.1, 1, 10])
orders.labels("web").inc(3, {"trace_id": "order"})
took.observe(0.05, {"trace_id": "fast"})
took.observe(5, {"trace_id": "slow"})
Info("shop_build", "Build.").info({"version": "1"})

exporter, _ = start_http_server(0, "127.0.0.1")
print(0, exporter.server_port, flush=True)
# The test holds the other end.
input()

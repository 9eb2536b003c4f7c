//! A gateway whose status page has all kinds of content.

/// A name that would be markup if it were not escaped.
pub(crate) const HOSTILE: &str =
    "<img src=x onerror='window.hostile=1'></script><script>window.hostile=1</script>";

/// The exposition of a Kong 3 with only status codes and latencies enabled, and a hostile service.
pub(crate) fn new() -> String {
    let service = HOSTILE.replace('"', "\\\"");
    format!(
        "# HELP kong_bandwidth_bytes Total bandwidth (ingress/egress) throughput in bytes\n\
         # TYPE kong_bandwidth_bytes counter\n\
         kong_bandwidth_bytes{{service=\"{service}\",route=\"r\",direction=\"egress\",consumer=\"\"}} 7\n\
         kong_bandwidth_bytes{{service=\"shop\",route=\"r\",direction=\"egress\",consumer=\"alice\"}} 30\n\
         # TYPE kong_kong_latency_ms histogram\n\
         kong_kong_latency_ms_bucket{{service=\"shop\",route=\"r\",le=\"20\"}} 1\n\
         kong_kong_latency_ms_bucket{{service=\"shop\",route=\"r\",le=\"+Inf\"}} 3\n\
         kong_kong_latency_ms_count{{service=\"shop\",route=\"r\"}} 3\n\
         kong_kong_latency_ms_sum{{service=\"shop\",route=\"r\"}} 80\n\
         # TYPE kong_nginx_connections_total gauge\n\
         kong_nginx_connections_total{{node_id=\"n\",subsystem=\"http\",state=\"active\"}} 3\n\
         up 1\nbroken{{ 1\n"
    )
}

pub(crate) fn settings(url: &str, more: &str) -> String {
    format!("emit: old\ntargets: [{{name: kong, url: '{url}'}}]\n{more}")
}

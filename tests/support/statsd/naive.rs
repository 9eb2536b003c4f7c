//! Kong's `StatsD` lines in the other generation, written by hand from the code of its plugins.
//!
//! It shares no code with `src/` and detects nothing: the caller passes generation and prefix.

/// The lines that Kong 3 sends where Kong 2 sends this one.
pub(crate) fn upgrade(line: &str, prefix: &str) -> Vec<String> {
    let own = || vec![line.to_owned()];
    let Some((service, metric)) = line.strip_prefix(prefix).and_then(|rest| rest.split_once('.'))
    else {
        return own();
    };
    let new = |metric: &str| vec![format!("{prefix}service.{service}.{metric}")];
    if metric.starts_with("request.count:") || metric.starts_with("user.uniques:") {
        return new(metric);
    }
    if metric.starts_with("request.size:") || metric.starts_with("response.size:") {
        return new(&metric.replace("|ms", "|c"));
    }
    for latency in ["latency:", "upstream_latency:", "kong_latency:"] {
        if let Some(value) = metric.strip_prefix(latency) {
            let missing = value.starts_with("-1|") || value.starts_with("nil|");
            return if missing { Vec::new() } else { new(metric) };
        }
    }
    if let Some(status) = metric.strip_prefix("request.status.") {
        let total = status.starts_with("total:");
        return if total { Vec::new() } else { new(&format!("status.{status}")) };
    }
    let Some(user) = metric.strip_prefix("user.") else { return own() };
    if user.contains(".request.count:") {
        return new(metric);
    }
    if let Some((user, status)) = user.rsplit_once(".request.status.") {
        let total = status.starts_with("total:");
        return if total { Vec::new() } else { new(&format!("user.{user}.status.{status}")) };
    }
    own()
}

/// The lines that Kong 2 sends where Kong 3 sends this one, without tags.
pub(crate) fn downgrade(line: &str, prefix: &str) -> Vec<String> {
    let own = || vec![line.to_owned()];
    let after = line.strip_prefix(prefix).and_then(|rest| rest.strip_prefix("service."));
    let Some((service, metric)) = after.and_then(|rest| rest.split_once('.')) else {
        return own();
    };
    let old = |metric: &str| format!("{prefix}{service}.{metric}");
    let plain =
        ["request.count:", "user.uniques:", "latency:", "upstream_latency:", "kong_latency:"];
    if plain.iter().any(|name| metric.starts_with(name)) {
        return vec![old(metric)];
    }
    if metric.starts_with("request.size:") || metric.starts_with("response.size:") {
        return vec![old(&metric.replace("|c", "|ms"))];
    }
    if let Some(status) = metric.strip_prefix("status.") {
        return with_total(&old("request.status."), status);
    }
    let Some(user) = metric.strip_prefix("user.") else { return own() };
    if user.contains(".request.count:") {
        return vec![old(metric)];
    }
    if let Some((user, status)) = user.rsplit_once(".status.") {
        return with_total(&old(&format!("user.{user}.request.status.")), status);
    }
    own()
}

/// `name` + `200:1|c`, and the same under `total`.
fn with_total(name: &str, status: &str) -> Vec<String> {
    let value = status.split_once(':').expect("a status has a value").1;
    vec![format!("{name}{status}"), format!("{name}total:{value}")]
}

/// The lines that Kong 2 sends where Kong 3 sends this one, with tags. Names must not contain
/// separators.
pub(crate) fn untag(line: &str, style: &str) -> Vec<String> {
    let own = || vec![line.to_owned()];
    let (name, tags, value) = if style == "dogstatsd" {
        let Some((line, tags)) = line.split_once("|#") else { return own() };
        let (name, value) = line.split_once(':').expect("a value");
        (name, tags, value)
    } else {
        let (head, value) = line.split_once(':').expect("a value");
        let separator = match style {
            "influxdb" => ',',
            "librato" => '#',
            _ => '[',
        };
        let Some((name, tags)) = head.split_once(separator) else { return own() };
        (name, tags.trim_end_matches(']'), value)
    };
    let equals = if style == "dogstatsd" { ':' } else { '=' };
    let tag = |wanted: &str| {
        let pairs = tags.split(',').map(|tag| tag.split_once(equals).expect("key and value"));
        pairs.into_iter().find(|(key, _)| *key == wanted).map(|(_, value)| value)
    };
    let Some(service) = tag("service") else { return own() };
    let service = service.replace('.', "_");
    let name = name.strip_prefix("kong.").expect("the prefix");
    match name {
        "latency" | "upstream_latency" | "kong_latency" => {
            vec![format!("kong.{service}.{name}:{value}")]
        }
        "request.size" | "response.size" => {
            vec![format!("kong.{service}.{name}:{}", value.replace("|c", "|ms"))]
        }
        "request.count" => {
            let status = tag("status").expect("each request has a status");
            let status = format!("{status}:{value}");
            let mut lines = vec![format!("kong.{service}.request.count:{value}")];
            lines.extend(with_total(&format!("kong.{service}.request.status."), &status));
            if let Some(user) = tag("consumer") {
                lines.push(format!("kong.{service}.user.uniques:{user}|s"));
                lines.push(format!("kong.{service}.user.{user}.request.count:{value}"));
                let name = format!("kong.{service}.user.{user}.request.status.");
                lines.extend(with_total(&name, &status));
            }
            lines
        }
        other => panic!("a tagged {other}"),
    }
}

//! Lines to measure with.

/// What Kong 2.8 sends for a few requests.
fn old() -> impl Iterator<Item = String> {
    (0..200).flat_map(|request| {
        let service = service(request);
        [
            format!("kong.{service}.request.count:1|c"),
            format!("kong.{service}.latency:{}|ms", 20 + request),
            format!("kong.{service}.request.size:{}|ms", 300 + request),
            format!("kong.{service}.request.status.200:1|c"),
            format!("kong.{service}.request.status.total:1|c"),
            format!("kong.{service}.response.size:{}|ms", 4000 + request),
            format!("kong.{service}.user.uniques:consumer_{request}|s"),
            format!("kong.{service}.user.consumer_{request}.request.count:1|c"),
            format!("kong.{service}.upstream_latency:{}|ms", 15 + request),
            format!("kong.{service}.kong_latency:{}|ms", request % 7),
        ]
    })
}

/// What Kong 3.9 sends for the counts of a few requests with `tag_style: dogstatsd`.
fn tagged() -> impl Iterator<Item = String> {
    (0..200).map(|request| {
        let service = service(request);
        format!(
            "kong.request.count:1|c|#route:r-{service},service:{service},node:gw-1,status:200,\
             consumer:consumer_{request},workspace:default"
        )
    })
}

fn service(request: usize) -> &'static str {
    ["orders", "users-v2", "catalog_api", "payments"][request % 4]
}

/// Lines of a kind: `old`, `tagged`, or `foreign`, which are those of another program.
pub(crate) fn of_kind(kind: &str) -> Option<Vec<String>> {
    match kind {
        "old" => Some(old().collect()),
        "tagged" => Some(tagged().collect()),
        "foreign" => Some(old().map(|line| line.replacen("kong", "shop", 1)).collect()),
        _ => None,
    }
}

/// Datagrams as Kong sends them, and the number of their lines: one line each, or packed up to
/// `bytes`.
pub(crate) fn datagrams<'a>(
    lines: impl Iterator<Item = &'a String>,
    bytes: usize,
) -> Vec<(Vec<u8>, u64)> {
    let mut datagrams: Vec<(Vec<u8>, u64)> = vec![(Vec::new(), 0)];
    for line in lines {
        let (open, lines) = datagrams.last_mut().expect("there is always one");
        if *lines > 0 && open.len() + 1 + line.len() > bytes {
            datagrams.push((line.clone().into_bytes(), 1));
            continue;
        }
        if *lines > 0 {
            open.push(b'\n');
        }
        open.extend_from_slice(line.as_bytes());
        *lines += 1;
    }
    datagrams
}

//! An exposition in `OpenMetrics` with families of all kinds, and how a pack renames them.

/// The rules. Some names do not fit the type or the unit of the family.
pub(crate) const PACK: &str = r"
name: example
prometheus:
  - { old: 'hits_total{svc=$s}', new: 'requests_total{service=$s}' }
  - { old: plain_total, new: plain_events }
  - { old: slow_milliseconds_total, new: slow_seconds, scale: 0.001 }
  - { old: queue, new: queue_total }
  - { old: took_milliseconds, new: took_seconds, scale: 0.001 }
  - { old: wait_seconds, new: delay_seconds }
  - { old: size_bytes, new: size }
  - { old: sent_bytes_total, new: out_bytes_total }
  - { old: build_info, new: release_info }
  - { old: 'merged_seconds_total{a}', new: joined_seconds_total, type: counter }
";

/// What a target of the old generation exports.
pub(crate) const OLD: &str = r##"# HELP hits Hits.
# TYPE hits counter
hits_total{svc="a"} 5 # {trace_id="x"} 1 1700000000.5
hits_created{svc="a"} 1.7e9
# HELP plain Events.
# TYPE plain counter
plain_total{p="# }"} 3 1700000000.5 # {trace_id="#y"} 2
plain_total{p="none"} 4
plain_created{p="none"} 1.7e9
# TYPE slow_milliseconds counter
# UNIT slow_milliseconds milliseconds
slow_milliseconds_total 1500 # {trace_id="s"} 2
# HELP queue Length.
# TYPE queue unknown
queue{q="1"} 4
# TYPE took_milliseconds histogram
# UNIT took_milliseconds milliseconds
# HELP took_milliseconds Time.
took_milliseconds_bucket{le="5.0"} 1 # {trace_id="z"} 3.5
took_milliseconds_bucket{le="+Inf"} 2
took_milliseconds_sum 11.5
took_milliseconds_count 2
took_milliseconds_created 1.7e9
# HELP wait_seconds Time.
# UNIT wait_seconds seconds
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.5"} 1
wait_seconds_bucket{le="+Inf"} 1 # {trace_id="w"} 0.25 1700000000.25
wait_seconds_sum 0.25
wait_seconds_count 1
# TYPE size_bytes gauge
# UNIT size_bytes bytes
size_bytes 12 1700000000.125
# UNIT sent_bytes bytes
# TYPE sent_bytes counter
sent_bytes_total 3
# HELP build Build.
# TYPE build info
build_info{version="1"} 1
# TYPE other_seconds gauge
# UNIT other_seconds seconds
other_seconds 1
# TYPE state stateset
state{state="on"} 1
# TYPE merged_seconds counter
# UNIT merged_seconds seconds
merged_seconds_total{a="1"} 1
merged_seconds_total{a="2"} 2
# EOF
"##;

/// The same in the new generation.
pub(crate) const NEW: &str = r##"# HELP requests Hits.
# TYPE requests counter
requests_total{service="a"} 5 # {trace_id="x"} 1 1700000000.5
requests_created{service="a"} 1.7e9
# HELP plain_events Events.
# TYPE plain_events unknown
plain_events{p="# }"} 3 1700000000.5
plain_events{p="none"} 4
# TYPE slow_seconds unknown
slow_seconds 1.5
# HELP queue_total Length.
# TYPE queue_total unknown
queue_total{q="1"} 4
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.005"} 1 # {trace_id="z"} 0.0035
took_seconds_bucket{le="+Inf"} 2
took_seconds_sum 0.0115
took_seconds_count 2
took_seconds_created 1.7e9
# HELP delay_seconds Time.
# TYPE delay_seconds histogram
# UNIT delay_seconds seconds
delay_seconds_bucket{le="0.5"} 1
delay_seconds_bucket{le="+Inf"} 1 # {trace_id="w"} 0.25 1700000000.25
delay_seconds_sum 0.25
delay_seconds_count 1
# TYPE size gauge
size 12 1700000000.125
# TYPE out_bytes counter
# UNIT out_bytes bytes
out_bytes_total 3
# HELP release Build.
# TYPE release info
release_info{version="1"} 1
# TYPE other_seconds gauge
# UNIT other_seconds seconds
other_seconds 1
# TYPE state stateset
state{state="on"} 1
# TYPE joined_seconds counter
# UNIT joined_seconds seconds
joined_seconds_total 3
# EOF
"##;

/// What a target of the new generation exports, with the types that its names allow.
pub(crate) const NEW_TARGET: &str = r#"# TYPE requests counter
requests_total{service="a"} 5 # {trace_id="x"} 1
# TYPE plain_events gauge
plain_events 3
# TYPE queue counter
queue_total{q="1"} 4 # {trace_id="q"} 1
queue_created{q="1"} 1.7e9
# TYPE took_seconds histogram
# UNIT took_seconds seconds
took_seconds_bucket{le="0.005"} 1
took_seconds_bucket{le="+Inf"} 2
took_seconds_count 2
took_seconds_sum 0.0115
# TYPE size gauge
size 12
# TYPE release info
release_info{version="1"} 1
# EOF
"#;

/// The same in the old generation.
pub(crate) const OLD_AGAIN: &str = r#"# TYPE hits counter
hits_total{svc="a"} 5 # {trace_id="x"} 1
# TYPE plain_total gauge
plain_total 3
# TYPE queue unknown
queue{q="1"} 4
# TYPE took_milliseconds histogram
took_milliseconds_bucket{le="5"} 1
took_milliseconds_bucket{le="+Inf"} 2
took_milliseconds_count 2
took_milliseconds_sum 11.5
# TYPE size_bytes gauge
size_bytes 12
# TYPE build info
build_info{version="1"} 1
# EOF
"#;

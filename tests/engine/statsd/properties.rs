//! Properties that hold for every datagram, on generated datagrams.

use crossfade::mapping::Emit;
use crossfade::rewrite::statsd::{Rewriter, Sender};
use crossfade::statsd::{Packer, lines};
use proptest::prelude::*;
use proptest::sample::select;

use crate::fuzz::statsd_datagram;
use crate::support::statsd::{plan, rewrite};

const EMITS: [Emit; 3] = [Emit::Old, Emit::New, Emit::Both];

/// A name of a service or consumer: plain, like a metric, or with bytes of the `StatsD` syntax.
fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z][a-z0-9_-]{0,8}",
        2 => select(vec!["service", "request", "user", "node", "status", "total", "count", "latency", "200"])
            .prop_map(str::to_owned),
        2 => r"[a-z.:|@#,=\[\] ]{0,6}",
        1 => r"[^\n]{0,4}",
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0_u32..100_000).prop_map(|number| number.to_string()),
        1 => select(vec!["-1", "nil", "", "+3", "-0.5", "1:2:3", "1|c:2", "-1:4"]).prop_map(str::to_owned),
        1 => "[a-z:|.]{0,5}",
    ]
}

fn metric_type() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => select(vec!["c", "ms", "s", "g"]), 1 => select(vec!["h", "d", "m", "", "verylongtype"])]
}

fn fields() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just(""),
        2 => select(vec!["|@0.1", "|#env:prod", "|@0.5|#a,b:c", "|c:in-1", "|T17", "|@", "||", ":2|ms"]),
        2 => select(vec![
            "|#service:a.b,status:200", "|#status:404,consumer:x,service:s", "|#consumer:Doe, John,service:s",
            "|#service:s,status:200|@0.1",
            "|#service:a.b,status:200,node:n,workspace:w", "|#node:n,consumer:Doe, John,service:s,workspace:w,status:200",
            "|#workspace:w,node:n,service:s,status:200|@0.1", ":2|ms|#env:prod", "\r", "|@0.1 \r",
        ]),
    ]
}

/// A name that Kong sends in either generation, dotted or tagged, or a similar one.
fn name() -> impl Strategy<Value = String> {
    let metric = select(vec![
        "request.count",
        "request.size",
        "response.size",
        "latency",
        "upstream_latency",
        "kong_latency",
        "request.status.200",
        "request.status.total",
        "status.404",
        "status",
        "user.uniques",
        "shdict.x.capacity",
    ]);
    let scope = select(vec!["", "service.", "node.h.", "node.h.service.", "global.", "route.r."]);
    let tags = prop_oneof![
        4 => Just(""),
        1 => select(vec![",service=a,status=200", "#service=a,consumer=c", "[status=200,service=a]", "[", ","]),
    ];
    let user = prop_oneof![2 => Just(None), 1 => identifier().prop_map(Some)];
    (scope, identifier(), user, metric, tags).prop_map(|(scope, service, user, metric, tags)| {
        let user = user.map(|user| format!("user.{user}.")).unwrap_or_default();
        let service = if service.is_empty() { service } else { format!("{service}.") };
        format!("kong.{scope}{service}{user}{metric}{tags}")
    })
}

fn kongs() -> impl Strategy<Value = String> {
    (name(), value(), metric_type(), fields()).prop_map(|(name, value, metric_type, fields)| {
        format!("{name}:{value}|{metric_type}{fields}")
    })
}

/// A line that no rule of Kong's pack matches.
fn foreign() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => ("[a-j][a-zA-Z0-9_./ -]{0,20}", value(), metric_type(), fields())
            .prop_map(|(name, value, metric_type, fields)| format!("{name}:{value}|{metric_type}{fields}")),
        1 => select(vec![
            "", "_e{5,4}:title|text|#service:a", "_sc|kong|0|m:kong.a.request.count:1|c", "kong", "kong.",
            "kong.global.unmatched.request.count:1|c", "kong.route.r.user.u.status.200:1|c",
            "kong.service.s.workspace.w.status.200:1|c", "kong.node.h.shdict.d.free_space:1|g",
            "kongs.a.request.count:1|c", "Kong.a.request.count:1|c", ".kong.a.request.count:1|c",
            "kong.request.count:1|c", "kong.request.count:1|c|#env:prod", "kong..:1|c",
        ]).prop_map(str::to_owned),
        1 => r"[^\n]{0,12}".prop_filter("not Kong's", |line| !line.starts_with("kong.")),
    ]
}

fn joined(lines: impl Strategy<Value = Vec<String>>) -> impl Strategy<Value = Vec<u8>> {
    (lines, any::<bool>()).prop_map(|(lines, newline)| {
        let newline = if newline { "\n" } else { "" };
        format!("{}{newline}", lines.join("\n")).into_bytes()
    })
}

fn text(line: &[u8]) -> String {
    std::str::from_utf8(line).map_or_else(|_| line.escape_ascii().to_string(), str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The assertions of the fuzz target, on datagrams that resemble those of Kong.
    #[test]
    fn properties_hold_for_any_datagram(
        choices in any::<[u8; 4]>(),
        datagram in joined(prop::collection::vec(prop_oneof![3 => kongs(), 1 => foreign()], 0..6)),
    ) {
        statsd_datagram::check(&[&choices[..], &datagram].concat());
    }

    #[test]
    fn unmatched_lines_are_unchanged(
        datagram in joined(prop::collection::vec(foreign(), 0..6)),
    ) {
        for emit in EMITS {
            let (left, report) = rewrite(&plan(emit), &[&datagram]);
            prop_assert_eq!(left.concat(), &datagram[..], "{:?}", emit);
            prop_assert_eq!(report.untouched, report.lines_in);
        }
    }

    #[test]
    fn explanation_equals_output(
        datagram in joined(prop::collection::vec(prop_oneof![3 => kongs(), 1 => foreign()], 0..6)),
    ) {
        for emit in EMITS {
            let (left, _) = rewrite(&plan(emit), &[&datagram]);
            let mut rewriter = Rewriter::new(plan(emit));
            let explained = rewriter.explain(&datagram, &mut Sender::default());
            let explained: Vec<String> = explained.into_iter().flat_map(|line| line.output).collect();
            let left = left.concat();
            let left = lines(&left).filter(|line| !line.is_empty());
            prop_assert_eq!(explained, left.map(text).collect::<Vec<_>>());
        }
    }

    /// Unchanged datagrams and rewritten lines in any order.
    #[test]
    fn packing_keeps_lines_whole_and_in_order(
        limit in 0_usize..120,
        pushes in prop::collection::vec((any::<bool>(), "[ab\n]{0,40}"), 0..12),
    ) {
        let mut packer = Packer::new(limit);
        let mut packed: Vec<Vec<u8>> = Vec::new();
        for (index, (untouched, text)) in pushes.iter().enumerate() {
            if *untouched {
                packer.push(text.as_bytes());
            } else {
                packer.push_lines(text.as_bytes());
            }
            // Complete datagrams are removed at random points.
            if index % 3 == 0 {
                packed.extend(packer.datagrams().map(<[u8]>::to_vec));
                packer.clear();
            }
        }
        packer.complete();
        packed.extend(packer.datagrams().map(<[u8]>::to_vec));
        let came = pushes.iter().flat_map(|(_, text)| lines(text.as_bytes()));
        prop_assert!(came.eq(packed.iter().flat_map(|it| lines(it))), "{:?}", packed);
        let came_so = |datagram: &[u8]| {
            pushes.iter().any(|(untouched, text)| *untouched && text.as_bytes() == datagram)
        };
        for datagram in packed.iter().filter(|it| it.len() > limit) {
            prop_assert!(
                limit == 0 || came_so(datagram) || lines(datagram).count() == 1,
                "{:?} is longer than {}", datagram.escape_ascii().to_string(), limit
            );
        }
        let datagrams: Vec<&[u8]> = pushes.iter().map(|(_, text)| text.as_bytes()).filter(|it| !it.is_empty()).collect();
        if limit == 0 {
            prop_assert_eq!(datagrams, packed, "one to one");
        }
    }
}

//! How rules of packs rewrite single lines.

use std::sync::Arc;

use crossfade::mapping::{Emit, StatsdPlan, StatsdSettings, compile_statsd};
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};
use crossfade::statsd::{Dialect, lines};

use crate::support::statsd::{plan, plan_of, plan_with};

/// The output for a line from a sender whose generation is unknown.
fn became(plan: &Arc<StatsdPlan>, line: &str) -> Vec<String> {
    after(plan, &[], line)
}

/// The output for a line from a sender that has sent other lines before.
fn after(plan: &Arc<StatsdPlan>, before: &[&str], line: &str) -> Vec<String> {
    let mut rewriter = Rewriter::new(Arc::clone(plan));
    let (mut sender, mut out) = (Sender::default(), Vec::new());
    for line in before {
        let outcome = rewriter.rewrite(line.as_bytes(), &mut sender, &mut out);
        assert!(outcome == Outcome::Rewritten || out.is_empty(), "{line}");
        out.clear();
    }
    match rewriter.rewrite(line.as_bytes(), &mut sender, &mut out) {
        Outcome::Untouched => vec![line.to_owned()],
        Outcome::Rewritten => {
            lines(&out).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect()
        }
    }
}

#[track_caller]
fn check(plan: &Arc<StatsdPlan>, table: &[(&str, &[&str])]) {
    for (line, expected) in table {
        assert_eq!(became(plan, line), *expected, "{line}");
    }
}

#[test]
fn name_parts_are_placed_by_the_other_sides_pattern() {
    let pack = r#"
statsd:
  - { old: "hits.{app}.{code}", new: "app.{code}.{app}.n" }
  - { old: "by.{user*}.of.{app}", new: "users.{app}.{user*}" }
  - { old: "seen.{app}:{who}|s", new: "app.{app}.seen:{who}|s" }
"#;
    let new = plan_of(pack, &StatsdSettings::new(Emit::New));
    check(
        &new,
        &[
            ("hits.shop.200:1|c", &["app.200.shop.n:1|c"]),
            ("hits.shop:1|c", &["hits.shop:1|c"]),
            ("hits.shop.a.b:1|c", &["hits.shop.a.b:1|c"]),
            ("by.ann.of.shop:1|c", &["users.shop.ann:1|c"]),
            // Placeholders match any text, dots included.
            ("by.a.of.b.of.shop:1|c", &["users.shop.a.of.b:1|c"]),
            ("by..of.shop:1|c", &["users.shop.:1|c"]),
            ("seen.shop:ann:o|s", &["app.shop.seen:ann:o|s"]),
            ("seen.shop:1|c", &["seen.shop:1|c"]),
        ],
    );
    let old = plan_of(pack, &StatsdSettings::new(Emit::Old));
    check(
        &old,
        &[
            ("app.200.shop.n:1|c", &["hits.shop.200:1|c"]),
            ("users.shop.a.of.b:1|c", &["by.a.of.b.of.shop:1|c"]),
        ],
    );
}

#[test]
fn fields_after_the_type_are_kept() {
    let new = plan(Emit::New);
    for fields in [
        "1|c",
        "1|c|@0.1",
        "+1.5e3|c",
        "|c",
        "text|c",
        "1|c|#env:prod,zone:a",
        "1|c|@0.5|#env:prod|c:in-7|T1700000000|e:x|card:low|?",
        "1:2:3|c|@0.1",
        "1|c:2|c|@0.1",
        "1|weird",
    ] {
        let line = format!("kong.shop.request.count:{fields}");
        let expected = if fields == "1|c:2|c|@0.1" {
            vec![
                "kong.service.shop.request.count:1|c".to_owned(),
                "kong.service.shop.request.count:2|c|@0.1".to_owned(),
            ]
        } else {
            vec![format!("kong.service.shop.request.count:{fields}")]
        };
        assert_eq!(became(&new, &line), expected);
    }
}

#[test]
fn values_that_mean_none_are_left_out() {
    let new = plan(Emit::New);
    check(
        &new,
        &[
            ("kong.s.latency:-1|ms", &[]),
            ("kong.s.upstream_latency:nil|ms", &[]),
            ("kong.s.request.size:nil|ms", &[]),
            ("kong.s.latency:-1.0|ms", &["kong.service.s.latency:-1.0|ms"]),
            ("kong.s.latency:-10|ms", &["kong.service.s.latency:-10|ms"]),
            // The other packed values become separate lines.
            (
                "kong.s.latency:5:-1:7|ms|@0.1",
                &["kong.service.s.latency:5|ms|@0.1", "kong.service.s.latency:7|ms|@0.1"],
            ),
            ("kong.s.latency:-1:-1|ms", &[]),
            // A request count of 0 means that there was no request.
            ("kong.s.request.count:-1|c", &["kong.service.s.request.count:-1|c"]),
        ],
    );
    check(&plan(Emit::Old), &[("kong.s.latency:-1|ms", &["kong.s.latency:-1|ms"])]);
}

#[test]
fn sizes_change_only_their_type() {
    check(
        &plan(Emit::New),
        &[
            ("kong.s.request.size:7|ms|@0.1", &["kong.service.s.request.size:7|c|@0.1"]),
            ("kong.s.response.size:7|h", &["kong.service.s.response.size:7|h"]),
            // Kong 3.0 has the new names and still sends timers.
            ("kong.service.s.request.size:7|ms", &["kong.service.s.request.size:7|ms"]),
        ],
    );
    check(
        &plan(Emit::Old),
        &[
            ("kong.service.s.request.size:7|c", &["kong.s.request.size:7|ms"]),
            ("kong.service.s.request.size:7|ms", &["kong.s.request.size:7|ms"]),
            ("kong.service.s.response.size:7|g|#a:b", &["kong.s.response.size:7|g|#a:b"]),
        ],
    );
}

#[test]
fn of_nested_prefixes_the_longer_one_is_read() {
    let packs = crossfade::packs::builtin();
    let compiled = |prefixes: &[&str]| {
        let prefixes = prefixes.iter().map(|it| (*it).to_owned()).collect();
        compile_statsd(&packs, &StatsdSettings { prefixes, ..StatsdSettings::new(Emit::New) })
    };
    for prefixes in [
        &["kong", "kong.prod"][..],
        &["kong.prod", "kong"],
        &["acme.edge", "acme.edge.eu"],
        &["kong", "kong.node.{host}"],
        &["kong", "kong"],
    ] {
        let plan = Arc::new(compiled(prefixes).unwrap_or_else(|it| panic!("{it}")));
        for prefix in prefixes {
            let prefix = prefix.replace("{host}", "h1");
            for (old, new) in [
                ("shop.request.count:1|c", "service.shop.request.count:1|c"),
                ("shop.request.status.200:1|c", "service.shop.status.200:1|c"),
                ("shop.user.a.b.request.count:1|c", "service.shop.user.a.b.request.count:1|c"),
                ("request.latency:1|ms", "service.request.latency:1|ms"),
            ] {
                let (old, new) = (format!("{prefix}.{old}"), format!("{prefix}.{new}"));
                assert_eq!(became(&plan, &old), [new], "{old} {prefixes:?}");
            }
        }
    }
    for prefixes in [["kong", "kong.service"], ["kong.{env}", "kong"]] {
        let errors = compiled(&prefixes).expect_err("ambiguous");
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert!(errors.to_string().contains("statsd.prefixes: a line can have both"), "{errors}");
    }
}

#[test]
fn lines_without_a_counterpart_pass() {
    for emit in [Emit::Old, Emit::New, Emit::Both] {
        for line in [
            "kong.global.unmatched.request.count:1|c",
            "kong.global.unmatched.latency:7|ms",
            "kong.service.s.workspace.w.status.200:1|c",
            "kong.route.0a1b.user.u.status.200:1|c",
            "kong.node.h.shdict.kong.free_space:1|g",
            "kong.node.h.node.h.shdict.kong.capacity:1|g",
            "kong.service.s.cache_datastore_hits_total:1|c",
            // Another plugin with the same prefix and other tags.
            "kong.request.count:1|c|#name:s,status:200",
            "kong.latency:1|d|#name:s,status:200",
        ] {
            assert_eq!(became(&plan(emit), line), [line], "{emit:?}");
        }
    }
}

/// A host name in the prefix, which newer versions and `StatsD Advanced` send.
#[test]
fn host_names_in_the_prefix_are_kept() {
    let old = "kong.node.gw-1_eu.shop.request.status.200:1|c";
    let new = "kong.node.gw-1_eu.service.shop.status.200:1|c";
    check(&plan(Emit::New), &[(old, &[new]), (new, &[new])]);
    let total = "kong.node.gw-1_eu.shop.request.status.total:1|c";
    check(&plan(Emit::Old), &[(new, &[old, total]), (old, &[old])]);
}

#[test]
fn ambiguous_lines_take_the_generation_of_their_sender() {
    let (old, new) = (plan(Emit::Old), plan(Emit::New));
    // A 2.x service called `service`, or a 3.x service called `request`.
    let line = "kong.service.request.status.200:1|c";
    let as_old = ["kong.service.service.status.200:1|c"];
    let as_new = ["kong.request.request.status.200:1|c", "kong.request.request.status.total:1|c"];
    let sent_by_old = ["kong.shop.request.count:1|c"];
    let sent_by_new = ["kong.service.shop.request.count:1|c"];
    assert_eq!(after(&new, &sent_by_old, line), as_old);
    assert_eq!(after(&new, &sent_by_new, line), [line]);
    assert_eq!(after(&old, &sent_by_new, line), as_new);
    assert_eq!(after(&old, &sent_by_old, line), [line]);
    // The last unambiguous line decides: Kong may have been upgraded.
    assert_eq!(after(&old, &[sent_by_old[0], sent_by_new[0]], line), as_new);
    assert_eq!(after(&old, &[sent_by_new[0], "load:1|g", line], line), as_new);
}

#[test]
fn a_tagged_line_becomes_one_line_per_rule() {
    let old = plan(Emit::Old);
    let full = [
        "kong.a_b.request.count:1|c|@0.1",
        "kong.a_b.request.status.200:1|c|@0.1",
        "kong.a_b.request.status.total:1|c|@0.1",
        "kong.a_b.user.uniques:ann.o|s",
        "kong.a_b.user.ann.o.request.count:1|c|@0.1",
        "kong.a_b.user.ann.o.request.status.200:1|c|@0.1",
        "kong.a_b.user.ann.o.request.status.total:1|c|@0.1",
    ];
    for line in [
        "kong.request.count:1|c|@0.1|#service:a.b,status:200,consumer:ann.o,route:r,node:h,workspace:w",
        "kong.request.count:1|c|#consumer:ann.o,node:h,service:a.b,workspace:w,status:200|@0.1",
        "kong.request.count,consumer=ann.o,status=200,service=a.b:1|c|@0.1",
        "kong.request.count#status=200,service=a.b,consumer=ann.o:1|c|@0.1",
        "kong.request.count[service=a.b,consumer=ann.o,status=200]:1|c|@0.1",
    ] {
        assert_eq!(became(&old, line), full, "{line}");
    }
    check(
        &old,
        &[
            // As far as the tags exist.
            ("kong.request.count,service=s:1|c", &["kong.s.request.count:1|c"]),
            (
                "kong.request.count:1|c|#status:200,service:s,node:n,workspace:w",
                &[
                    "kong.s.request.count:1|c",
                    "kong.s.request.status.200:1|c",
                    "kong.s.request.status.total:1|c",
                ],
            ),
            ("kong.request.count,status=200:1|c", &["kong.request.count,status=200:1|c"]),
            (
                "kong.latency:7|ms|#service:s,status:200,node:n,workspace:w",
                &["kong.s.latency:7|ms"],
            ),
            ("kong.request.size[service=s]:7|c", &["kong.s.request.size:7|ms"]),
            // Kong does not escape commas: a piece without a key continues the value before it.
            (
                "kong.latency:7|ms|#consumer:Doe, John,service:s,status:200,node:n,workspace:w",
                &["kong.s.latency:7|ms"],
            ),
            ("kong.latency[service=s]x:7|ms", &["kong.latency[service=s]x:7|ms"]),
            ("kong.latency[service=s:7|ms", &["kong.latency[service=s:7|ms"]),
            // Fields that are no tags are kept.
            (
                "kong.latency:7|ms|#service:s,status:200,node:n,workspace:w|c:in-1|T17",
                &["kong.s.latency:7|ms|c:in-1|T17"],
            ),
        ],
    );
    let line = "kong.request.count:1|c|#service:s,status:200,node:n,workspace:w";
    assert_eq!(became(&plan(Emit::New), line), [line]);
    assert_eq!(became(&plan(Emit::Both), line)[0], line);
}

/// An unknown tag at any position among those of Kong, in every style.
#[test]
fn lines_with_unknown_tags_are_unchanged() {
    let own = ["service", "status", "node", "workspace", "route", "consumer"];
    let styles = [("", "|#", ":", ""), (",", "", "=", ""), ("#", "", "=", ""), ("[", "", "=", "]")];
    for (before, field, equals, after) in styles {
        let line = |tags: &[String]| {
            let tags = tags.join(",");
            if field.is_empty() {
                format!("kong.latency{before}{tags}{after}:7|ms")
            } else {
                format!("kong.latency:7|ms{field}{tags}")
            }
        };
        let genuine: Vec<String> = own.iter().map(|key| format!("{key}{equals}x")).collect();
        assert_eq!(became(&plan(Emit::Old), &line(&genuine)), ["kong.x.latency:7|ms"]);
        let mut others = Vec::new();
        for at in 0..=genuine.len() {
            for foreign in ["app", "env", "name", "host"] {
                let mut tags = genuine.clone();
                tags.insert(at, format!("{foreign}{equals}y"));
                others.push(tags);
            }
            // After the name of a service or consumer it could be part of the name.
            if at > 0
                && !genuine[at - 1].starts_with("service")
                && !genuine[at - 1].starts_with("cons")
            {
                let mut tags = genuine.clone();
                tags.insert(at, "beta".to_owned());
                others.push(tags);
            }
        }
        for at in 0..5 {
            let mut tags = genuine.clone();
            tags[at] = format!("{}{equals}", own[at]);
            others.push(tags);
            let twice = [&genuine[..], &genuine[at..=at]].concat();
            others.push(twice);
        }
        if !field.is_empty() {
            for at in 0..4 {
                let mut tags = genuine.clone();
                tags.remove(at);
                others.push(tags);
            }
        }
        for tags in others {
            let line = line(&tags);
            for emit in [Emit::Old, Emit::New, Emit::Both] {
                assert_eq!(became(&plan(emit), &line), [&*line], "{emit:?}");
            }
        }
    }
}

#[test]
fn lines_of_the_datadog_plugin_are_unchanged() {
    for line in [
        "kong.request.count:1|c|#service:shop,status:200,consumer:ann,app:kong",
        "kong.latency:12|ms|#service:shop,status:200,consumer:ann,app:kong",
        "kong.request.size:110|d|#service:shop,status:200,app:kong",
        "kong.latency:12|g|#service:shop,status:200,team:core,beta",
        "kong.request.count:1|c|#service:,status:404,app:kong",
        "kong.request.count:1|c|#service:shop,status:200,consumer:ann",
        // Not a type of the StatsD plugin.
        "kong.latency:12|d|#service:shop,status:200,node:n,workspace:w",
        "kong.latency,service=shop,host=h1:5|ms",
        "kong.latency,service=shop,node=n,status=200,workspace=w:5|d",
    ] {
        for emit in [Emit::Old, Emit::New, Emit::Both] {
            assert_eq!(became(&plan(emit), line), [line], "{emit:?}");
        }
    }
}

/// Only lines with tags after the type have packed values. In other lines a number after a colon is
/// part of the last tag.
#[test]
fn the_last_tag_of_a_name_may_end_in_a_number() {
    let orders = [
        "service=shop,status=200,node=n,consumer=org:7",
        "status=200,consumer=org:7,node=n,service=shop",
        "consumer=org:7,node=n,service=shop,status=200",
    ];
    for tags in orders {
        for (open, close) in [(",", ""), ("#", ""), ("[", "]")] {
            let line = format!("kong.request.count{open}{tags}{close}:1|c|@0.5");
            let expected = [
                "kong.shop.request.count:1|c|@0.5",
                "kong.shop.request.status.200:1|c|@0.5",
                "kong.shop.request.status.total:1|c|@0.5",
                "kong.shop.user.uniques:org:7|s",
                "kong.shop.user.org:7.request.count:1|c|@0.5",
                "kong.shop.user.org:7.request.status.200:1|c|@0.5",
                "kong.shop.user.org:7.request.status.total:1|c|@0.5",
            ];
            assert_eq!(became(&plan(Emit::Old), &line), expected, "{line}");
        }
    }
    check(
        &plan(Emit::Old),
        &[
            (
                "kong.request.size,status=200,service=shop,consumer=github:12345:100|c",
                &["kong.shop.request.size:100|ms"],
            ),
            (
                "kong.latency#node=n,service=shop,status=200,consumer=org:7:9|ms",
                &["kong.shop.latency:9|ms"],
            ),
            ("kong.latency,node=n,service=2001:db8::1:9|ms", &["kong.2001:db8::1.latency:9|ms"]),
            (
                "kong.latency,service=shop:1|ms:2|ms",
                &["kong.shop.latency:1|ms", "kong.shop.latency:2|ms"],
            ),
            // The bracket ends the tags, so these are packed values.
            ("kong.latency[service=shop]:1:2|ms", &["kong.shop.latency:1:2|ms"]),
            ("kong.latency[service=2001:db8::1]:9|ms", &["kong.2001:db8::1.latency:9|ms"]),
            // Not tags of Kong.
            ("kong.latency,host=h:1:2|ms", &["kong.latency,host=h:1:2|ms"]),
        ],
    );
    for dialect in [Dialect::Influx, Dialect::Librato, Dialect::SignalFx] {
        let settings = StatsdSettings { tags: Some(dialect), ..StatsdSettings::new(Emit::New) };
        let line = "kong.2001:db8::1.latency:9|ms";
        let [tagged] = &became(&plan_with(&settings), line)[..] else { panic!("one line") };
        assert_eq!(became(&plan(Emit::Old), tagged), [line], "{tagged}");
    }
}

#[test]
fn trailing_blanks_are_kept() {
    for end in ["\r", " ", " \t\r"] {
        for (emit, line, expected) in [
            (Emit::New, "kong.shop.latency:5|ms", &["kong.service.shop.latency:5|ms"][..]),
            (Emit::New, "kong.shop.request.size:5|ms", &["kong.service.shop.request.size:5|c"]),
            (Emit::New, "kong.shop.latency:-1|ms", &[]),
            (Emit::New, "kong.shop.user.uniques:ann|s", &["kong.service.shop.user.uniques:ann|s"]),
            (
                Emit::Old,
                "kong.service.shop.status.200:1|c",
                &["kong.shop.request.status.200:1|c", "kong.shop.request.status.total:1|c"],
            ),
            (Emit::Old, "kong.latency,service=shop:5|ms|@0.1", &["kong.shop.latency:5|ms|@0.1"]),
            (
                Emit::Old,
                "kong.service.shop.latency:1|ms:2|ms",
                &["kong.shop.latency:1|ms", "kong.shop.latency:2|ms"],
            ),
            (Emit::Old, "load:0.3|g", &["load:0.3|g"]),
        ] {
            let with = |line: &&str| format!("{line}{end}");
            let expected: Vec<String> = expected.iter().map(with).collect();
            assert_eq!(became(&plan(emit), &with(&line)), expected, "{line}");
        }
    }
}

#[test]
fn tags_are_written_in_one_place() {
    let tags = |dialect| {
        plan_with(&StatsdSettings { tags: Some(dialect), ..StatsdSettings::new(Emit::New) })
    };
    for dialect in [Dialect::Influx, Dialect::Librato, Dialect::SignalFx] {
        check(
            &tags(dialect),
            &[
                (
                    "kong.shop.request.count:1|c|@0.5|#env:prod",
                    &["kong.service.shop.request.count:1|c|@0.5|#env:prod"],
                ),
                (
                    "kong.service.shop.request.count:1|c|#env:prod",
                    &["kong.service.shop.request.count:1|c|#env:prod"],
                ),
                (
                    "kong.shop.latency:1|ms:2|ms|#env:prod",
                    &[
                        "kong.service.shop.latency:1|ms|#env:prod",
                        "kong.service.shop.latency:2|ms|#env:prod",
                    ],
                ),
            ],
        );
    }
    // With tags, Kong writes the host as a tag and not in the prefix.
    for dialect in [Dialect::DogStatsd, Dialect::Influx, Dialect::Librato, Dialect::SignalFx] {
        check(
            &tags(dialect),
            &[("kong.node.h.shop.latency:5|ms", &["kong.node.h.service.shop.latency:5|ms"])],
        );
        let settings = StatsdSettings {
            tags: Some(dialect),
            prefixes: vec!["kong.node.{host}".to_owned()],
            ..StatsdSettings::new(Emit::New)
        };
        check(
            &plan_with(&settings),
            &[("kong.node.h.shop.latency:5|ms", &["kong.node.h.service.shop.latency:5|ms"])],
        );
    }
    // Packed values after tags without an end mark would be part of the last tag.
    check(
        &tags(Dialect::Influx),
        &[(
            "kong.shop.latency:1:2|ms|@0.5",
            &["kong.latency,service=shop:1|ms|@0.5", "kong.latency,service=shop:2|ms|@0.5"],
        )],
    );
    check(
        &tags(Dialect::SignalFx),
        &[("kong.shop.latency:1:2|ms", &["kong.latency[service=shop]:1:2|ms"])],
    );
}

#[test]
fn tags_at_the_end_of_a_line_apply_to_every_sample() {
    check(
        &plan(Emit::Old),
        &[
            (
                "kong.service.shop.latency:1|ms:2|ms|#env:prod",
                &["kong.shop.latency:1|ms|#env:prod", "kong.shop.latency:2|ms|#env:prod"],
            ),
            (
                "kong.service.shop.request.size:1|c|@0.1:2|c|#env:prod",
                &[
                    "kong.shop.request.size:1|ms|@0.1|#env:prod",
                    "kong.shop.request.size:2|ms|#env:prod",
                ],
            ),
            (
                "kong.latency:1|ms:2|ms|@0.1|#service:s,status:200,node:n,workspace:w",
                &["kong.s.latency:1|ms", "kong.s.latency:2|ms|@0.1"],
            ),
            ("load:1|ms:2|ms|#env:prod", &["load:1|ms:2|ms|#env:prod"]),
        ],
    );
}

#[test]
fn dotted_lines_can_become_tagged() {
    let tags = |dialect| {
        plan_with(&StatsdSettings { tags: Some(dialect), ..StatsdSettings::new(Emit::New) })
    };
    for (dialect, expected) in [
        (Dialect::DogStatsd, "kong.request.count:1|c|@0.1|#service:shop"),
        (Dialect::Influx, "kong.request.count,service=shop:1|c|@0.1"),
        (Dialect::Librato, "kong.request.count#service=shop:1|c|@0.1"),
        (Dialect::SignalFx, "kong.request.count[service=shop]:1|c|@0.1"),
    ] {
        check(
            &tags(dialect),
            &[
                ("kong.shop.request.count:1|c|@0.1", &[expected]),
                ("kong.service.shop.request.count:1|c|@0.1", &[expected]),
            ],
        );
    }
    check(
        &tags(Dialect::DogStatsd),
        &[
            ("kong.shop.request.size:7|ms", &["kong.request.size:7|c|#service:shop"]),
            ("kong.shop.latency:-1|ms", &[]),
            // Existing tags follow.
            ("kong.shop.latency:7|ms|#env:prod", &["kong.latency:7|ms|#service:shop,env:prod"]),
            // The count already includes all statuses.
            ("kong.shop.request.status.200:1|c", &["kong.service.shop.status.200:1|c"]),
        ],
    );
}

#[test]
fn samples_of_one_line_are_rewritten_one_by_one() {
    let pack = r#"statsd: [{ old: "a:c", new: "b:c" }, { old: "a:ms", new: "t:ms", skip: [-1] }]"#;
    let new = plan_of(pack, &StatsdSettings::new(Emit::New));
    check(
        &new,
        &[
            ("a:1|c:2|ms|@0.5:3|g", &["b:1|c", "t:2|ms|@0.5", "a:3|g"]),
            ("a:-1|ms:2|c", &["b:2|c"]),
            ("a:3|g:4|g", &["a:3|g:4|g"]),
        ],
    );
}

/// The protocol has no escapes. A name ends where a valid value follows.
#[test]
fn names_with_separators_in_them() {
    check(
        &plan(Emit::New),
        &[
            (
                "kong.[2001:db8::1].request.count:1|c",
                &["kong.service.[2001:db8::1].request.count:1|c"],
            ),
            (
                "kong.s.user.org:7|x@y.request.count:1|c",
                &["kong.service.s.user.org:7|x@y.request.count:1|c"],
            ),
            ("kong.s.user.uniques:org:7|s", &["kong.service.s.user.uniques:org:7|s"]),
            ("kong.s.user.uniques:x|y@z|s", &["kong.service.s.user.uniques:x|y@z|s"]),
            // This could also be a set with that text as its value, which is less likely.
            ("kong.latency:.user.uniques:|s", &["kong.service.latency:.user.uniques:|s"]),
            ("kong.service.latency:.user.uniques:|s", &["kong.service.latency:.user.uniques:|s"]),
            ("kong.s.latency:x:y|s", &["kong.service.s.latency:x:y|s"]),
            (
                "kong.service.latency:3|m:x,y.request.size:2|s",
                &["kong.service.latency:3|m:x,y.request.size:2|s"],
            ),
            // A field `|s` does not exist, so these are sets.
            ("kong.s.user.uniques:a:1|c|s", &["kong.service.s.user.uniques:a:1|c|s"]),
            ("kong.s.user.uniques:waad|jane|s", &["kong.service.s.user.uniques:waad|jane|s"]),
            ("kong.s.user.uniques:auth0|123|s", &["kong.service.s.user.uniques:auth0|123|s"]),
        ],
    );
}

/// A parser could not find the end of the name in the rewritten line.
#[test]
fn tags_that_would_end_the_name_early_prevent_the_rewrite() {
    let left = "kong.latency:4|ms|#status:200,node:n,workspace:w,service:latency:45|s|#service:sv";
    check(
        &plan(Emit::Old),
        &[
            (left, &[left]),
            (
                "kong.latency:4|ms|#status:200,node:n,workspace:w,service:a:b",
                &["kong.a:b.latency:4|ms"],
            ),
            (
                "kong.latency:4|ms|#status:200,node:n,workspace:w,service:a|b",
                &["kong.a|b.latency:4|ms"],
            ),
            (
                "kong.latency:4|ms|#status:200,node:n,workspace:w,service:a:b|c",
                &["kong.a:b|c.latency:4|ms"],
            ),
            // Three samples of a name that contains a bar, or a set with a shorter name. It is read
            // as the set.
            (
                "kong.request.count,service=s:nil|ms,consumer=a|b:3|nt:1|c|@0|ms.1x:0|s",
                &["kong.s.request.count:nil|ms,consumer=a|b:3|nt:1|c|@0|ms.1x:0|s"],
            ),
            (
                "kong.s.request.count:nil|ms,consumer=a|b:3|nt:1|c|@0|ms.1x:0|s",
                &["kong.s.request.count:nil|ms,consumer=a|b:3|nt:1|c|@0|ms.1x:0|s"],
            ),
            // The same with a field after the text of the set.
            (
                "kong.request.count#service=s,consumer=a|b:1|c|T170",
                &["kong.request.count#service=s,consumer=a|b:1|c|T170"],
            ),
        ],
    );
}

/// The lines in backticks in a table cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn documented_examples_are_rewritten_as_shown() {
    // A bar in a cell is written `\|`.
    let document = include_str!("../../../docs/statsd.md").replace("\\|", "\u{1}");
    let (old, new) = (plan(Emit::Old), plan(Emit::New));
    let all = |plan: &Arc<StatsdPlan>, lines: &[String]| -> Vec<String> {
        lines.iter().flat_map(|line| became(plan, line)).collect()
    };
    let (mut by_name, mut by_tags) = (0, 0);
    for row in document.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<String> = row.split('|').map(|cell| cell.replace('\u{1}', "|")).collect();
        let lines =
            |cell: &str| -> Vec<String> { quoted(cell).into_iter().map(str::to_owned).collect() };
        match cells.iter().map(|cell| cell.trim()).collect::<Vec<_>>()[1..] {
            [left, arrow @ ("⇄" | "→" | "="), right, _, ""] => {
                let (left, right) = (lines(left), lines(right));
                let same = arrow == "=";
                assert_eq!(all(&new, &left), if same { &left } else { &right }.as_slice(), "{row}");
                if arrow != "→" {
                    assert_eq!(
                        all(&old, &right),
                        if same { &right } else { &left }.as_slice(),
                        "{row}"
                    );
                }
                assert_eq!(all(&old, &left), left, "{row}");
                assert_eq!(all(&new, &right), right, "{row}");
                by_name += 1;
            }
            [tagged, became, ""] if tagged.starts_with("`kong.") => {
                assert_eq!(all(&old, &lines(tagged)), lines(became), "{row}");
                by_tags += 1;
            }
            _ => {}
        }
    }
    assert_eq!((by_name, by_tags), (16, 5), "every row is held against the code");
}

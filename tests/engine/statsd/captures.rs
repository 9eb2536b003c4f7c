//! Captured lines of Kong: lines of the same traffic from both generations must be equal after
//! rewriting.

use std::sync::Arc;

use crate::support::statsd::{
    Multiset, all_lines, assert_same_lines, count, datagrams, naive, plan, plan_with, rewrite,
};
use crossfade::mapping::{Emit, StatsdPlan, StatsdSettings};
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};
use crossfade::statsd::{Framer, Packer, lines};

const HOST: &str = "kong.node.kong-7f9c_prod-eu_example_net.";

fn texts(datagrams: &[Vec<u8>]) -> Vec<String> {
    let text = |line: Vec<u8>| String::from_utf8(line).expect("these captures are text");
    all_lines(datagrams).into_iter().map(text).collect()
}

/// Lines that only Kong 3 sends.
fn only_new(line: &str) -> bool {
    line.contains(".global.unmatched.")
        || line.contains(".workspace.") && line.contains(".service.")
        || line.contains(".route.") && line.contains(".user.")
        || line.contains(".shdict.")
}

/// Lines that only Kong 2 sends: it sends values for absent latencies.
fn only_old(line: &str) -> bool {
    line.contains(":-1|")
}

/// Kong 3.0 has the new names, but still the old types.
fn counters(line: String) -> String {
    let size = line.contains(".request.size:") || line.contains(".response.size:");
    if size { line.replace("|ms", "|c") } else { line }
}

/// Rewrites a capture of Kong 2 and one of Kong 3 into each other. `adapt` applies the other
/// differences of the two captures to the lines of Kong 3.
fn both_ways(old: &str, new: &str, settings: &StatsdSettings, adapt: impl Fn(String) -> String) {
    let (old_datagrams, new_datagrams) = (datagrams(old), datagrams(new));
    let (old_lines, new_lines) = (texts(&old_datagrams), texts(&new_datagrams));
    let with = |emit| plan_with(&StatsdSettings { emit, ..settings.clone() });

    let (upgraded, report) = rewrite(&with(Emit::New), &old_datagrams);
    let expected = new_lines.iter().filter(|line| !only_new(line)).cloned();
    assert_same_lines(
        &count(expected.map(counters).map(&adapt)),
        &count(texts(&upgraded)),
        &format!("{old} upgraded, against {new}"),
    );
    let missing = old_lines.iter().filter(|line| only_old(line)).count();
    assert_eq!(report.skipped, missing as u64, "{old}");
    let total = |line: &&String| line.contains(".request.status.total:");
    assert_eq!(report.implied, old_lines.iter().filter(total).count() as u64, "{old}");

    let (downgraded, report) = rewrite(&with(Emit::Old), &new_datagrams);
    let actual = texts(&downgraded).into_iter().filter(|line| !only_new(line));
    let expected = old_lines.iter().filter(|line| !only_old(line));
    assert_same_lines(
        &count(expected),
        &count(actual.map(&adapt)),
        &format!("{new} downgraded, against {old}"),
    );
    assert_eq!((report.skipped, report.implied), (0, 0), "{new}");
    // Lines without an old name pass.
    let passed = |lines: &[String]| count(lines.iter().filter(|line| only_new(line)));
    assert_eq!(passed(&texts(&downgraded)), passed(&new_lines), "{new}");

    side_by_side(&old_datagrams, &with(Emit::New), old);
    side_by_side(&new_datagrams, &with(Emit::Old), new);
}

/// The output has the input lines and the rewritten lines, each once.
fn side_by_side(came: &[Vec<u8>], one_way: &Arc<StatsdPlan>, what: &str) {
    let mut rewriter = Rewriter::new(Arc::clone(one_way));
    let mut sender = Sender::default();
    let mut expected = all_lines(came);
    for line in all_lines(came) {
        let mut became = Vec::new();
        if rewriter.rewrite(&line, &mut sender, &mut became) == Outcome::Rewritten {
            expected.extend(all_lines(&[became]));
        }
    }
    let (both, _) = rewrite(&plan(Emit::Both), came);
    assert_same_lines(&count(expected), &count(all_lines(&both)), &format!("{what} side by side"));
}

fn as_it_is(line: String) -> String {
    line
}

fn default() -> StatsdSettings {
    StatsdSettings::new(Emit::Both)
}

#[test]
fn tiny_captures() {
    for new in ["3.0.2", "3.4.2", "3.9.1"] {
        let old = "tiny/statsd/kong-2.8.5.default.jsonl";
        both_ways(old, &format!("tiny/statsd/kong-{new}.default.jsonl"), &default(), as_it_is);
    }
}

#[test]
fn every_version_with_default_settings() {
    for old in ["2.0.0", "2.8.5"] {
        for new in ["3.0.2", "3.4.2", "3.9.1"] {
            let old = format!("small/statsd/kong-{old}.default.jsonl");
            let new = format!("small/statsd/kong-{new}.default.jsonl");
            both_ways(&old, &new, &default(), as_it_is);
        }
    }
}

/// Services named `service`, `request`, `user`, `upstream_latency` and `status_200`: some of their
/// lines are valid in either generation.
#[test]
fn services_named_like_metrics() {
    both_ways(
        "medium/statsd/kong-2.8.5.default.first_24000.jsonl",
        "medium/statsd/kong-3.0.2.default.first_24000.jsonl",
        &default(),
        as_it_is,
    );
}

#[test]
fn consumers_by_name_and_rates() {
    for variant in ["username", "sample_rate_0.1"] {
        for new in ["3.0.2", "3.9.1"] {
            let old = format!("small/statsd/kong-2.8.5.{variant}.jsonl");
            both_ways(
                &old,
                &format!("small/statsd/kong-{new}.{variant}.jsonl"),
                &default(),
                as_it_is,
            );
        }
    }
}

/// Kong 2 writes the `-` of a consumer's id as `_`. In other identifiers, `_` may be original.
#[test]
fn consumers_by_id() {
    let underscores = |line: String| match line.find(".user.") {
        Some(at) => {
            let (before, user) = line.split_at(at);
            format!("{before}{}", user.replace('-', "_"))
        }
        None => line,
    };
    for new in ["3.0.2", "3.9.1"] {
        let new = format!("small/statsd/kong-{new}.consumer_id.jsonl");
        let old = "small/statsd/kong-2.8.5.consumer_id.jsonl";
        // Service names may have dashes; the user is after the service.
        let old_lines = texts(&datagrams(old));
        assert!(old_lines.iter().any(|line| line.starts_with("kong.user-service.user.")));
        let adapted = |lines: Vec<String>| count(lines.into_iter().map(underscores));
        let (upgraded, _) = rewrite(&plan(Emit::New), &datagrams(old));
        let expected = texts(&datagrams(&new)).into_iter().filter(|line| !only_new(line));
        assert_same_lines(
            &adapted(expected.map(counters).collect()),
            &adapted(texts(&upgraded)),
            &new,
        );
        let (downgraded, _) = rewrite(&plan(Emit::Old), &datagrams(&new));
        let downgraded = texts(&downgraded).into_iter().filter(|line| !only_new(line));
        let expected = old_lines.into_iter().filter(|line| !only_old(line));
        assert_same_lines(&adapted(expected.collect()), &adapted(downgraded.collect()), &new);
    }
}

/// A prefix that contains a dot has to be in the settings.
#[test]
fn a_configured_prefix() {
    let settings = StatsdSettings { prefixes: vec!["acme.edge-gw".to_owned()], ..default() };
    let old = "small/statsd/kong-2.8.5.prefix.jsonl";
    let (upgraded, _) =
        rewrite(&plan_with(&StatsdSettings { emit: Emit::New, ..settings }), &datagrams(old));
    let expected = texts(&datagrams("small/statsd/kong-3.9.1.default.jsonl"));
    let expected = expected.into_iter().filter(|line| !only_new(line));
    let expected = expected.map(|line| line.replacen("kong.", "acme.edge-gw.", 1));
    assert_same_lines(&count(expected), &count(texts(&upgraded)), old);

    let (unknown, _) = rewrite(&plan(Emit::New), &datagrams(old));
    assert_eq!(unknown, datagrams(old), "lines with an unknown prefix are unchanged");
}

#[test]
fn the_host_name_in_the_prefix() {
    for new in ["3.0.2", "3.9.1"] {
        let name = format!("small/statsd/kong-{new}.hostname_in_prefix.jsonl");
        let (downgraded, _) = rewrite(&plan(Emit::Old), &datagrams(&name));
        let downgraded = texts(&downgraded).into_iter().filter(|line| !only_new(line));
        let old = texts(&datagrams("small/statsd/kong-2.8.5.default.jsonl"));
        let expected = old.iter().filter(|line| !only_old(line));
        let expected: Vec<String> = expected.map(|line| line.replacen("kong.", HOST, 1)).collect();
        assert_same_lines(&count(&expected), &count(downgraded), &name);

        let (upgraded, _) = rewrite(&plan(Emit::New), &expected);
        let new = texts(&datagrams(&name)).into_iter().filter(|line| !only_new(line));
        assert_same_lines(&count(new.map(counters)), &count(texts(&upgraded)), &name);
    }
}

/// Identifiers that only Kong 3 can send replace others; the lines are otherwise equal.
#[test]
fn every_service_and_workspace_identifier() {
    for variant in ["3.0.2.service_id", "3.9.1.service_id", "3.0.2.workspace_name"] {
        let name = format!("small/statsd/kong-{variant}.jsonl");
        let (downgraded, _) = rewrite(&plan(Emit::Old), &datagrams(&name));
        let lines = texts(&datagrams(&name));
        let expected = lines.iter().flat_map(|line| naive::downgrade(line, "kong."));
        assert_same_lines(&count(expected), &count(texts(&downgraded)), &name);
    }
}

/// Datagrams of several lines: all lines are rewritten, and each datagram stays one datagram.
#[test]
fn batches() {
    for variant in [
        "3.0.2.udp_packet_size_1400",
        "3.9.1.udp_packet_size_1400",
        "3.9.1.udp_packet_size_1400.queue_batch_10",
    ] {
        let name = format!("small/statsd/kong-{variant}.jsonl");
        both_ways("small/statsd/kong-2.8.5.default.jsonl", &name, &default(), as_it_is);
        let batches = datagrams(&name);
        let (downgraded, _) = rewrite(&plan(Emit::Old), &batches);
        assert_eq!(downgraded.len(), batches.len());
        for (batch, downgraded) in batches.iter().zip(&downgraded) {
            let lines = texts(std::slice::from_ref(batch));
            let expected: Vec<String> =
                lines.iter().flat_map(|line| naive::downgrade(line, "kong.")).collect();
            assert_eq!(texts(std::slice::from_ref(downgraded)), expected, "in order");
            assert!(!downgraded.ends_with(b"\n"), "as they came");
        }
    }
}

#[test]
fn a_tcp_stream_cut_at_random() {
    for new in ["3.0.2", "3.9.1"] {
        let name = format!("small/statsd/kong-{new}.tcp.stream.txt");
        both_ways("small/statsd/kong-2.8.5.default.jsonl", &name, &default(), as_it_is);
        let stream = datagrams(&name).remove(0);
        let (whole, _) = rewrite(&plan(Emit::Old), &[&stream]);
        for size in [1, 7, 100, 1460, 65_536] {
            let mut framer = Framer::new(1000);
            let mut pieces = Vec::new();
            for read in stream.chunks(size) {
                framer.feed(read, |lines| pieces.push(lines.to_vec()));
            }
            framer.finish(|line| pieces.push(line.to_vec()));
            let (rewritten, _) = rewrite(&plan(Emit::Old), &pieces);
            assert_eq!(rewritten.concat(), whole.concat(), "reads of {size}");
        }
    }
}

#[test]
fn a_tcp_stream_cut_at_every_byte() {
    let lines = texts(&datagrams("tiny/statsd/kong-3.9.1.default.jsonl"));
    let stream = lines[..40].join("\n");
    let plan = plan(Emit::Old);
    let (whole, _) = rewrite(&plan, &[&stream]);
    for cut in 0..=stream.len() {
        let (before, after) = stream.as_bytes().split_at(cut);
        let mut framer = Framer::new(1000);
        let mut pieces = Vec::new();
        framer.feed(before, |lines| pieces.push(lines.to_vec()));
        framer.feed(after, |lines| pieces.push(lines.to_vec()));
        framer.finish(|line| pieces.push(line.to_vec()));
        assert_eq!(rewrite(&plan, &pieces).0.concat(), whole.concat(), "cut at {cut}");
    }
}

/// Tagged lines in every style become the lines of Kong 2.
#[test]
fn tags() {
    for scale in ["tiny", "small"] {
        let old = format!("{scale}/statsd/kong-2.8.5.default.jsonl");
        let old = texts(&datagrams(&old)).into_iter().filter(|line| !only_old(line));
        let old = count(old);
        for style in ["dogstatsd", "influxdb", "librato", "signalfx"] {
            let name = format!("{scale}/statsd/kong-3.9.1.tag_{style}.jsonl");
            assert_downgrades(&name, style, &old);
        }
    }
    let old = texts(&datagrams("small/statsd/kong-2.8.5.default.jsonl"));
    let old = count(old.into_iter().filter(|line| !only_old(line)));
    assert_downgrades(
        "small/statsd/kong-3.9.1.tag_dogstatsd.udp_packet_size_1400.jsonl",
        "dogstatsd",
        &old,
    );
    let old = texts(&datagrams("small/statsd/kong-2.8.5.sample_rate_0.1.jsonl"));
    let old = count(old.into_iter().filter(|line| !only_old(line)));
    assert_downgrades(
        "small/statsd/kong-3.9.1.tag_dogstatsd.sample_rate_0.1.jsonl",
        "dogstatsd",
        &old,
    );
}

fn assert_downgrades(name: &str, style: &str, old: &Multiset) {
    let tagged = datagrams(name);
    let (downgraded, _) = rewrite(&plan(Emit::Old), &tagged);
    let passes = |line: &String| line.contains("shdict") || is_unmatched(line);
    let (passed, became): (Vec<_>, Vec<_>) = texts(&downgraded).into_iter().partition(passes);
    assert_same_lines(old, &count(became), name);
    let lines = texts(&tagged);
    let by_hand = lines.iter().flat_map(|line| naive::untag(line, style));
    assert_same_lines(&count(by_hand), &count(texts(&downgraded)), name);
    // Lines of requests without a service have no tags; shared dictionaries have no old name.
    let expected = lines.iter().filter(|line| naive::untag(line, style) == [line.as_str()]);
    assert_same_lines(&count(expected), &count(passed), name);

    let (kept, _) = rewrite(&plan(Emit::New), &tagged);
    assert_eq!(kept, tagged, "{name}: tags are new");
    side_by_side(&tagged, &plan(Emit::Old), name);
}

/// Each line alone, compared with hand-written rules.
#[test]
fn line_by_line() {
    let each = |emit, name: &str, by_hand: &dyn Fn(&str, &str) -> Vec<String>| {
        let mut rewriter = Rewriter::new(plan(emit));
        for line in texts(&datagrams(name)) {
            let mut out = Vec::new();
            let became = match rewriter.rewrite(line.as_bytes(), &mut Sender::default(), &mut out) {
                Outcome::Untouched => vec![line.clone()],
                Outcome::Rewritten => texts(&[out]),
            };
            assert_eq!(became, by_hand(&line, "kong."), "{line}");
        }
    };
    for variant in ["default", "username", "sample_rate_0.1"] {
        each(Emit::New, &format!("small/statsd/kong-2.8.5.{variant}.jsonl"), &naive::upgrade);
        each(Emit::Old, &format!("small/statsd/kong-3.9.1.{variant}.jsonl"), &naive::downgrade);
    }
}

/// Datagrams that already have the emitted generation are forwarded byte for byte.
#[test]
fn lines_of_the_emitted_generation_are_unchanged() {
    for scale in ["tiny", "small", "medium", "quirk"] {
        let folder = crate::support::root(&format!("tests/captures/{scale}/statsd"));
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let emit = if crate::support::is_old(&name) { Emit::Old } else { Emit::New };
            let came = datagrams(&format!("{scale}/statsd/{}", name.trim_end_matches(".gz")));
            let (left, report) = rewrite(&plan(emit), &came);
            assert_eq!(left, came, "{name}");
            assert_eq!(report.untouched, report.lines_in, "{name}");
        }
    }
}

/// Names with quotes, colons, pipes, commas, brackets, blanks and bytes that are not UTF-8, but
/// without newlines.
#[test]
fn hostile_names() {
    let came = |name: &str| -> Vec<Vec<u8>> {
        datagrams(name).into_iter().filter(|it| !it.contains(&b'\n')).collect()
    };
    // Each byte becomes one character, which is enough for a comparison.
    let texts = |datagrams: &[Vec<u8>]| -> Vec<String> {
        let text = |line: Vec<u8>| line.into_iter().map(char::from).collect();
        all_lines(datagrams).into_iter().map(text).collect()
    };
    for variant in ["default", "username"] {
        for new in ["3.0.2", "3.9.1"] {
            let (old_name, new_name) = (
                format!("quirk/statsd/kong-2.8.5.{variant}.jsonl"),
                format!("quirk/statsd/kong-{new}.{variant}.jsonl"),
            );
            let (old, new) = (came(&old_name), came(&new_name));
            let upgraded = texts(&rewrite(&plan(Emit::New), &old).0);
            let expected = texts(&new).into_iter().filter(|line| !only_new(line)).map(counters);
            assert_same_lines(&count(expected), &count(upgraded), &new_name);
            let downgraded = texts(&rewrite(&plan(Emit::Old), &new).0);
            let actual = downgraded.into_iter().filter(|line| !only_new(line));
            let expected = texts(&old).into_iter().filter(|line| !only_old(line));
            assert_same_lines(&count(expected), &count(actual), &old_name);
        }
    }
    // A newline in a tagged line separates it from its last tags: they are added to the first half.
    let mut tagged = datagrams("quirk/statsd/kong-3.9.1.tag_dogstatsd.username.jsonl");
    for torn in tagged.iter_mut().filter(|it| it.contains(&b'\n')) {
        let whole = [lines(torn).next().unwrap(), b",workspace:w"].concat();
        *torn = whole;
    }
    let downgraded = texts(&rewrite(&plan(Emit::Old), &tagged).0);
    let torn = |line: &str| {
        let halves = ["line2,", "crlf,", "line,", "kong.new."];
        let users = ["line1", "tab\there", "service:new,"];
        halves.iter().any(|half| line.starts_with(half)) || users.iter().any(|it| line.contains(it))
    };
    let actual = downgraded.into_iter();
    let actual = actual.filter(|it| !it.contains("shdict") && !is_unmatched(it) && !torn(it));
    let expected = texts(&came("quirk/statsd/kong-2.8.5.username.jsonl"));
    let expected = expected.into_iter().filter(|line| !only_old(line));
    assert_same_lines(&count(expected), &count(actual), "tagged");
}

/// Lines of requests without a service have no tags.
fn is_unmatched(line: &str) -> bool {
    ["kong.latency:", "kong.kong_latency:", "kong.request.", "kong.response."]
        .iter()
        .any(|name| line.starts_with(name))
}

/// A newline in a name splits a line into two that are not metrics. Both are forwarded.
#[test]
fn names_with_newlines_pass() {
    for (name, emit) in [
        ("quirk/statsd/kong-2.8.5.default.jsonl", Emit::New),
        ("quirk/statsd/kong-2.8.5.username.jsonl", Emit::Both),
        ("quirk/statsd/kong-3.9.1.default.jsonl", Emit::Old),
        ("quirk/statsd/kong-3.9.1.username.jsonl", Emit::Both),
    ] {
        let torn: Vec<_> = datagrams(name).into_iter().filter(|it| it.contains(&b'\n')).collect();
        assert!(!torn.is_empty());
        assert_eq!(rewrite(&plan(emit), &torn).0, torn, "{name}");
    }
    let tagged = datagrams("quirk/statsd/kong-3.9.1.tag_dogstatsd.username.jsonl");
    let torn: Vec<_> = tagged.into_iter().filter(|it| it.contains(&b'\n')).collect();
    assert_eq!(rewrite(&plan(Emit::Old), &torn).0, torn, "tagged");
}

/// Packing the output loses nothing and keeps the order.
#[test]
fn rewritten_lines_are_packed() {
    let came = datagrams("small/statsd/kong-3.9.1.default.jsonl");
    let (rewritten, _) = rewrite(&plan(Emit::Old), &came);
    let mut packer = Packer::new(1432);
    for datagram in &rewritten {
        packer.push_lines(datagram);
    }
    packer.complete();
    let packed: Vec<Vec<u8>> = packer.datagrams().map(<[u8]>::to_vec).collect();
    assert!(packed.iter().all(|datagram| datagram.len() <= 1432));
    assert!(packed.len() < rewritten.len() / 20);
    assert_eq!(all_lines(&packed), all_lines(&rewritten));
}

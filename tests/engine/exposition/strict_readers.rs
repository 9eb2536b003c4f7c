//! Strict output of captures and of random bodies: what strict readers ask for, and nothing lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crossfade::mapping::{Emit, Plan};
use crossfade::rewrite::exposition::{History, Options, Report};
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::{Bytes, has_error_message, kong_body, soup, valid_body};
use crate::support::engine::{
    EMITS, Outcome, empty_plan, leaving, plan, rewrite, shown, try_rewrite,
};
use crate::support::naive::{self, Item};
use crate::support::{Seeded, capture, captures, oracle, same_number, strict};

fn strictly<'a>(plan: &Arc<Plan>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let options = Options { strict: true, ..Options::default() };
    let outcome = try_rewrite(plan, options, History::default(), chunks);
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

/// What a strict reader finds wrong with a body of which every family must be in one place.
fn errors(outcome: &Outcome) -> Vec<String> {
    let read = outcome.read();
    let types = read.types();
    let mut families: BTreeSet<String> =
        read.samples().map(|sample| naive::family_of(&types, &sample.name)).collect();
    // Some sources write buckets under the name of the histogram, which `expfmt` reads as such.
    for sample in read.samples() {
        if types.get(&sample.name).is_some_and(|kind| kind == "histogram") {
            families.remove(&sample.name);
        }
    }
    let families: Vec<&str> = families.iter().map(String::as_str).collect();
    let mut errors = strict::errors(&outcome.body, &families);
    // Neither can be made up. Counts that fall are those of the source.
    let of_the_source = ["no HELP of", "no TYPE of", "counts more than", "+Inf and _count differ"];
    errors.retain(|error| !of_the_source.iter().any(|text| error.contains(text)));
    let without_sum = errors.iter().filter(|error| error.ends_with("[\"_count\"]")).count() as u64;
    if without_sum <= outcome.report.incomplete {
        errors.retain(|error| !error.ends_with("[\"_count\"]"));
    }
    errors
}

fn dropped(report: &Report) -> u64 {
    report.dropped.iter().filter(|(reason, _)| **reason != *"repeated_header").map(|(_, n)| n).sum()
}

/// Every series of the output that is not strict is there with its value, or it is counted as
/// dropped; and no other series is there, except those that are counted as added.
fn assert_nothing_lost(plain: &Outcome, strict: &Outcome, context: &str) {
    let (before, after) = (plain.read().stored(), strict.read().stored());
    let lost = before.keys().filter(|series| !after.contains_key(*series)).count() as u64;
    let added = after.keys().filter(|series| !before.contains_key(*series)).count() as u64;
    for (series, value) in &after {
        let same = before.get(series).is_none_or(|before| same_number(*before, *value));
        assert!(same, "{context}: {series}: {:?} and {value}", before.get(series));
    }
    let more_dropped = dropped(&strict.report) - dropped(&plain.report);
    assert!(lost <= more_dropped, "{context}: {lost} lost, {:?}", strict.report.dropped);
    assert!(added <= strict.report.filled, "{context}: {added} added");
    let samples = |outcome: &Outcome| outcome.read().samples().count() as u64;
    assert_eq!(
        samples(plain) + strict.report.filled,
        samples(strict) + more_dropped,
        "{context}: {:?}",
        strict.report.dropped
    );
    assert_eq!(strict.report.samples_out, samples(strict), "{context}");
}

#[test]
fn captures_are_strict_and_equal_the_oracle() {
    for scale in ["tiny", "small", "quirk"] {
        for name in captures(scale) {
            let body = capture(&name);
            for emit in EMITS {
                let context = format!("{name} emitted as {emit:?}");
                let outcome = strictly(&plan(emit), [&body[..]]);
                let errors = errors(&outcome);
                assert!(errors.is_empty(), "{context}: {errors:#?}");
                assert_nothing_lost(&rewrite(&plan(emit), &body), &outcome, &context);
                if scale == "quirk" {
                    continue;
                }
                let expected = oracle::rewrite(&naive::parse(&body), leaving(emit));
                let after = outcome.read().stored();
                for (series, value) in &expected {
                    let is = after.get(series);
                    assert!(
                        is.is_some_and(|is| same_number(*is, *value)),
                        "{context}: {series}: {is:?}, not {value}"
                    );
                }
                assert_eq!(after.len() as u64, expected.len() as u64 + outcome.report.filled);
            }
        }
    }
}

#[test]
fn captures_cut_anywhere_are_the_same() {
    let mut random = Seeded::new(7);
    for name in captures("tiny") {
        let body = capture(&name);
        let whole = strictly(&plan(Emit::New), [&body[..]]);
        for _ in 0..50 {
            let at = random.below(body.len());
            let cut = strictly(&plan(Emit::New), [&body[..at], &body[at..]]);
            assert_eq!(whole.body, cut.body, "{name} cut at {at}");
            assert_eq!(shown(&whole.report), shown(&cut.report), "{name} cut at {at}");
        }
    }
    let body =
        b"a{x=\"1\n2\"} 1\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\na 2\nh_count 3\n# HELP a T.\n";
    let whole = strictly(&empty_plan(), [&body[..]]);
    for at in 0..body.len() {
        let cut = strictly(&empty_plan(), [&body[..at], &body[at..]]);
        assert_eq!(whole.body, cut.body, "cut at {at}");
    }
}

/// Lines of families of all types, each series once, headers included.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let set = select(vec!["", "x=\"1\"", "x=\"2\"", "y=\"le\"", "x=\"1\",y=\"\\\"\""]);
    let kind = select(vec!["counter", "gauge", "histogram", "summary", "untyped"]);
    let le = prop::collection::btree_set(select(vec!["1", "2", "5", "10", "+Inf"]), 0..5);
    let sets = prop::collection::btree_map(set, (le, any::<bool>(), any::<bool>(), 0u32..9), 0..4);
    prop::collection::vec((kind, sets, any::<bool>()), 1..5).prop_map(|families| {
        let mut lines = Vec::new();
        for (number, (kind, sets, has_help)) in families.into_iter().enumerate() {
            let name = format!("f{number}");
            lines.push(format!("# TYPE {name} {kind}\n"));
            if has_help {
                lines.push(format!("# HELP {name} Help.\n"));
            }
            for (set, (les, has_sum, has_count, value)) in sets {
                let braces = |more: &str| match (set.is_empty(), more.is_empty()) {
                    (true, true) => String::new(),
                    (false, false) => format!("{{{more},{set}}}"),
                    _ => format!("{{{set}{more}}}"),
                };
                let (part, label) = match kind {
                    "histogram" => ("_bucket", "le"),
                    "summary" => ("", "quantile"),
                    _ => {
                        lines.push(format!("{name}{} {value}\n", braces("")));
                        continue;
                    }
                };
                for le in les {
                    let labels = braces(&format!("{label}=\"{le}\""));
                    lines.push(format!("{name}{part}{labels} {value}\n"));
                }
                for (suffix, has) in [("_sum", has_sum), ("_count", has_count)] {
                    if has {
                        lines.push(format!("{name}{suffix}{} {value}\n", braces("")));
                    }
                }
            }
        }
        lines
    })
}

/// The lines of a body, by number: as the order of families and series depends on the input.
fn counted(body: &[u8]) -> BTreeMap<Vec<u8>, usize> {
    let mut counted = BTreeMap::new();
    for (_, line) in naive::parse(body).lines {
        *counted.entry(line).or_default() += 1;
    }
    counted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_order_of_lines_does_not_matter(
        (lines, shuffled) in lines().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        let (body, other) = (lines.concat(), shuffled.concat());
        let outcome = strictly(&empty_plan(), [body.as_bytes()]);
        let shuffled = strictly(&empty_plan(), [other.as_bytes()]);
        prop_assert_eq!(errors(&outcome), Vec::<String>::new());
        prop_assert_eq!(errors(&shuffled), Vec::<String>::new());
        // Labels are written in the order of the first sample of their set, and `le` after them.
        prop_assert_eq!(counted(&outcome.body), counted(&shuffled.body));
        assert_nothing_lost(&rewrite(&empty_plan(), body.as_bytes()), &outcome, "in order");
    }

    #[test]
    fn strict_output_stays_as_it_is(body in prop_oneof![kong_body(), valid_body()]) {
        prop_assume!(!has_error_message(body.as_bytes()));
        for plan in [empty_plan(), plan(Emit::New), plan(Emit::Old)] {
            let outcome = strictly(&plan, [body.as_bytes()]);
            let again = strictly(&empty_plan(), [&outcome.body[..]]);
            prop_assert_eq!(
                outcome.body.escape_ascii().to_string(),
                again.body.escape_ascii().to_string()
            );
            prop_assert_eq!(dropped(&again.report), 0, "{:?}", again.report.dropped);
        }
    }

    #[test]
    fn random_bodies_are_strict_and_lose_nothing(body in kong_body()) {
        for emit in EMITS {
            let outcome = strictly(&plan(emit), [body.as_bytes()]);
            let headers = outcome.read();
            let types = headers.lines.iter().filter(|(item, _)| matches!(item, Item::Type(..)));
            let names: BTreeSet<_> = types.clone().map(|(_, line)| line).collect();
            prop_assert_eq!(types.count(), names.len());
            prop_assert_eq!(errors(&outcome), Vec::<String>::new());
        }
    }

    #[test]
    fn whatever_arrives_is_read_the_same_in_pieces(body in soup(), at in any::<prop::sample::Index>()) {
        let Bytes(body) = body;
        prop_assume!(!has_error_message(&body));
        let at = at.index(body.len() + 1);
        for emit in EMITS {
            let whole = strictly(&plan(emit), [&body[..]]);
            let cut = strictly(&plan(emit), [&body[..at], &body[at..]]);
            prop_assert_eq!(&whole.body, &cut.body);
            prop_assert_eq!(shown(&whole.report), shown(&cut.report));
            prop_assert!(naive::parse(&whole.body).refused().is_empty());
        }
    }
}

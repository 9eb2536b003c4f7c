//! Patterns of family names: generated packs and bodies, compared with the oracle of patterns.
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use std::collections::BTreeMap;
use std::sync::Arc;

use crossfade::mapping::{Emit, Pack, Plan, Settings, compile};
use crossfade::rewrite::exposition::{History, Options, explain};

use crate::support::engine::{plan_of, rewrite, try_rewrite};
use crate::support::pattern_oracle::{self as oracle, PatternRule, To, meet};
use crate::support::{Seeded, assert_same_series, naive};

const BEFORE: [&str; 8] = ["", "", "a_", "a_", "b_", "a_b_", "c", "ab"];
const AFTER: [&str; 6] = ["", "", "", "_b", "_total", "_b_total"];
const PIECES: [&str; 9] = ["a", "b", "c", "_", "a_", "_b", "_total", "1", "x"];
const NAMED: [(&str, &str); 3] = [("a_1", "b_1"), ("a_x_b", "other"), ("c", "a_c")];

fn texts(random: &mut Seeded) -> (String, String) {
    ((*random.one_of(&BEFORE)).to_owned(), (*random.one_of(&AFTER)).to_owned())
}

fn rule(random: &mut Seeded) -> PatternRule {
    let (old, new) = (texts(random), texts(random));
    let label = (old == new || random.below(3) == 0).then(|| ("p".to_owned(), "q".to_owned()));
    PatternRule { old, new, label }
}

/// Rules of which no two can claim one family with as much text.
fn rules(random: &mut Seeded) -> Vec<PatternRule> {
    let mut rules: Vec<PatternRule> = Vec::new();
    let length = |texts: &(String, String)| texts.0.len() + texts.1.len();
    for _ in 0..=random.below(4) {
        let rule = rule(random);
        let alike =
            |a: &(String, String), b: &(String, String)| length(a) == length(b) && meet(a, b);
        if !rules.iter().any(|it| alike(&it.old, &rule.old) || alike(&it.new, &rule.new)) {
            rules.push(rule);
        }
    }
    rules
}

fn name(random: &mut Seeded) -> String {
    loop {
        let pieces = 1 + random.below(4);
        let name: String = (0..pieces).map(|_| *random.one_of(&PIECES)).collect();
        if !name.starts_with('1') {
            return name;
        }
    }
}

/// Families with different names, of which some repeat.
fn body(random: &mut Seeded, rules: &[PatternRule]) -> String {
    let mut families: Vec<String> = (0..12).map(|_| name(random)).collect();
    // Names on both sides of rules.
    for _ in 0..6 {
        let rule = &rules[random.below(rules.len())];
        let rest = name(random);
        for (before, after) in [&rule.old, &rule.new] {
            families.push(format!("{before}{rest}{after}"));
        }
    }
    let mut body = String::new();
    for _ in 0..20 {
        let family = random.one_of(&families).clone();
        if random.below(2) == 0 && !body.contains(&format!("{family} ")) {
            body += &format!("# TYPE {family} {}\n", random.one_of(&["counter", "gauge"]));
        }
        for _ in 0..=random.below(3) {
            let label = random.one_of(&[
                "",
                "{p=\"1\"}",
                "{q=\"1\"}",
                "{p=\"1\",q=\"2\"}",
                "{p=\"2\",r=\"3\"}",
            ]);
            body += &format!("{family}{label} {}\n", random.below(1000));
        }
    }
    body
}

fn yaml(rules: &[PatternRule], named: &BTreeMap<String, String>) -> String {
    let mut text = "name: generated\nprometheus:\n".to_owned();
    for rule in rules {
        text += &rule.yaml();
    }
    for (old, new) in named {
        text += &format!("- {{ old: {old}, new: {new} }}\n");
    }
    text
}

fn is_same_on_both_sides(rule: &PatternRule) -> bool {
    rule.old == rule.new && rule.label.is_none()
}

#[test]
fn output_equals_the_oracle() {
    let mut rewritten = 0;
    for seed in 0..3000 {
        let random = &mut Seeded::new(seed);
        let mut rules = rules(random);
        rules.retain(|rule| !is_same_on_both_sides(rule));
        if rules.is_empty() {
            continue;
        }
        let count = random.below(NAMED.len() + 1);
        let named = NAMED.iter().take(count);
        let named: BTreeMap<String, String> =
            named.map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect();
        let pack = yaml(&rules, &named);
        let text = body(random, &rules);
        let read = naive::parse(text.as_bytes());
        assert!(read.refused().is_empty(), "{text}");
        for (emit, to) in [(Emit::New, To::New), (Emit::Old, To::Old)] {
            let plan = plan_of(&pack, emit);
            let outcome = rewrite(&plan, text.as_bytes());
            let expected = oracle::rewrite(&read, &rules, &named, to);
            let context = format!("seed {seed} to {emit}\n{pack}\n{text}\n{}", outcome.text());
            assert_same_series(&expected, &outcome.read().stored(), &context);
            // Each series once.
            assert_eq!(outcome.read().samples().count(), expected.len(), "{context}");
            rewritten += outcome.report.rewritten.iter().map(|it| it.samples_out).sum::<u64>();
            same_when_cut(&plan, text.as_bytes(), random, outcome.text());
            let explained =
                explain(&plan, Options::default(), History::default(), text.as_bytes(), None);
            let explained = explained.expect("within the limits");
            assert_eq!(explained.output, outcome.body, "{context}");
        }
    }
    assert!(rewritten > 10_000, "{rewritten}");
}

fn same_when_cut(plan: &Arc<Plan>, body: &[u8], random: &mut Seeded, expected: &str) {
    let chunks = body.chunks(1 + random.below(40));
    let cut = try_rewrite(plan, Options::default(), History::default(), chunks);
    assert_eq!(cut.expect("within the limits").text(), expected);
}

#[test]
fn ambiguous_patterns_are_refused_with_a_family_that_shows_it() {
    let (mut refused, mut accepted) = (0, 0);
    for seed in 0..2000 {
        let random = &mut Seeded::new(seed);
        let rules = [rule(random), rule(random)];
        if rules.iter().any(is_same_on_both_sides) {
            continue;
        }
        let pack = yaml(&rules, &BTreeMap::new());
        let pack = Pack::parse("p.yaml", &pack).unwrap_or_else(|errors| panic!("{errors}"));
        let result = compile(&[pack], &Settings::new(Emit::New));
        let length = |texts: &(String, String)| texts.0.len() + texts.1.len();
        let alike =
            |a: &(String, String), b: &(String, String)| length(a) == length(b) && meet(a, b);
        let [a, b] = &rules;
        let is_ambiguous = alike(&a.old, &b.old) || alike(&a.new, &b.new);
        assert_eq!(result.is_err(), is_ambiguous, "{rules:?}");
        *(if is_ambiguous { &mut refused } else { &mut accepted }) += 1;
        let Err(errors) = result else { continue };
        let message = errors.0[0].message.clone();
        let family = message.rsplit('`').nth(1).expect("a family").to_owned();
        let is_of = |(before, after): &(String, String)| {
            family.starts_with(before) && family.ends_with(after)
        };
        let (old, new) = (is_of(&a.old) && is_of(&b.old), is_of(&a.new) && is_of(&b.new));
        assert!(old || new, "{message}");
    }
    assert!(refused > 100 && accepted > 100, "{refused} {accepted}");
}

//! Texts of labels: generated packs and bodies, compared with the oracle of labels.
#![allow(clippy::format_push_string, reason = "a body is built line by line, as it reads")]

use std::collections::{BTreeMap, BTreeSet};

use crossfade::mapping::{Emit, Pack};
use crossfade::rewrite::exposition::{History, Options, explain};

use crate::support::engine::{plan_of, rewrite, rewrite_at_every_cut};
use crate::support::label_oracle::{self as oracle, LabelRule, Piece, Side, To, braces};
use crate::support::{Seeded, assert_same_series, naive};

/// Texts before, between and after variables. After one, no letter can follow.
const BEFORE: [&str; 7] = ["", "", "", "", "cpu", "@", "\""];
const BETWEEN: [&str; 6] = ["@", "-", "@@", "/", "-n", "\\"];
const AFTER: [&str; 6] = ["", "", "", "", "-n", "@"];
const LETTERS: [&str; 14] =
    ["a", "b", "x", "@", "@@", "-", "/", "cpu", "n", "\\", "\"", "\n", "none", "ü"];

/// Labels that have all variables, several of them in one text now and then.
fn side(random: &mut Seeded, names: &[&str], variables: &[String]) -> Side {
    let mut rest: Vec<String> = variables.to_vec();
    let mut side = Side::new();
    for name in names {
        if rest.is_empty() {
            break;
        }
        let count = 1 + random.below(rest.len());
        let mut pieces = vec![Piece::Text((*random.one_of(&BEFORE)).to_owned())];
        for (index, variable) in rest.drain(..count).enumerate() {
            if index > 0 {
                pieces.push(Piece::Text((*random.one_of(&BETWEEN)).to_owned()));
            }
            pieces.push(Piece::Variable(variable));
        }
        pieces.push(Piece::Text((*random.one_of(&AFTER)).to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        side.push(((*name).to_owned(), pieces));
    }
    if random.below(3) == 0 {
        let again = Piece::Variable(random.one_of(variables).clone());
        side.push(("z".to_owned(), vec![again]));
    }
    if random.below(4) == 0 {
        side.push(("kind".to_owned(), vec![Piece::Text("k\"1\\".to_owned())]));
    }
    side
}

fn rule(random: &mut Seeded) -> LabelRule {
    let count = 1 + random.below(3);
    let variables: Vec<String> = (0..count).map(|index| format!("v{index}")).collect();
    let mut rule = LabelRule {
        old: side(random, &["a", "b", "c"], &variables),
        new: side(random, &["a", "p", "q"], &variables),
        ..LabelRule::default()
    };
    for variable in &variables {
        let is_alone = |side: &Side| {
            let has = |pieces: &&Vec<Piece>| pieces.contains(&Piece::Variable(variable.clone()));
            let mut texts = side.iter().map(|(_, pieces)| pieces).filter(has);
            let is_variable = |piece: &&Piece| matches!(piece, Piece::Variable(_));
            texts.all(|pieces| pieces.iter().filter(is_variable).count() == 1)
        };
        if is_alone(&rule.old) && is_alone(&rule.new) && random.below(2) == 0 {
            rule.optional.insert(variable.clone());
        }
        if random.below(3) == 0 {
            let absent = if rule.optional.contains(variable) { "" } else { "b" };
            let mut olds = BTreeSet::new();
            let mut pairs = Vec::new();
            for _ in 0..=random.below(3) {
                let old = (*random.one_of(&["a", "x", absent])).to_owned();
                let new = (*random.one_of(&["a", "none", absent])).to_owned();
                if olds.insert(old.clone()) {
                    pairs.push((old, new));
                }
            }
            rule.values.insert(variable.clone(), (pairs, random.below(2) == 0));
        }
    }
    rule
}

fn text(random: &mut Seeded, most: usize) -> String {
    (0..random.below(most + 1)).map(|_| *random.one_of(&LETTERS)).collect()
}

/// A sample with the labels of a side, most of them with their texts.
fn labels(random: &mut Seeded, side: &Side) -> Vec<(String, String)> {
    let mut meaning: BTreeMap<&String, String> = BTreeMap::new();
    let mut labels = Vec::new();
    for (label, pieces) in side {
        let mut value = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => value += text,
                Piece::Variable(name) => {
                    let its = meaning.entry(name).or_insert_with(|| match random.below(3) {
                        0 => (*random.one_of(&["a", "x", "none", "b", ""])).to_owned(),
                        _ => text(random, 3),
                    });
                    value += its;
                }
            }
        }
        match random.below(12) {
            0 => value = text(random, 5),
            1 => value.clear(),
            2 => continue,
            _ => {}
        }
        labels.push((label.clone(), value));
    }
    if random.below(3) == 0 {
        labels.insert(random.below(labels.len() + 1), ("other".to_owned(), "1".to_owned()));
    }
    if random.below(12) == 0 && !labels.iter().any(|(label, _)| label == "p") {
        labels.push(("p".to_owned(), text(random, 1)));
    }
    if random.below(2) == 0 {
        labels.reverse();
    }
    labels
}

fn body(random: &mut Seeded, family: &str, side: &Side) -> String {
    let mut body = format!("# TYPE {family} counter\n");
    for value in 0..12 {
        let labels = labels(random, side);
        body += &format!("{family}{} {}\n", braces(&labels), 1 << value);
    }
    body
}

#[test]
fn output_equals_the_oracle() {
    let (mut rewritten, mut round_trips, mut refused) = (0, 0, 0);
    for seed in 0..4000 {
        let random = &mut Seeded::new(seed);
        let rule = rule(random);
        let pack = format!("name: generated\nprometheus:\n{}", rule.yaml());
        if let Err(errors) = Pack::parse("generated.yaml", &pack) {
            // Both selectors cannot be the same, so nothing else can be wrong.
            panic!("seed {seed}\n{pack}\n{errors}");
        }
        for (emit, back, to) in [(Emit::New, Emit::Old, To::New), (Emit::Old, Emit::New, To::Old)] {
            let (family, side) =
                if to == To::New { ("old", &rule.old) } else { ("new", &rule.new) };
            let text = body(random, family, side);
            let read = naive::parse(text.as_bytes());
            assert!(read.refused().is_empty(), "{text}");
            let plan = plan_of(&pack, emit);
            let outcome = rewrite(&plan, text.as_bytes());
            let context = format!("seed {seed} to {emit}\n{pack}\n{text}\n{}", outcome.text());
            let expected = oracle::rewrite(&read, &rule, to);
            assert_same_series(&expected, &outcome.read().stored(), &context);
            rewritten += outcome.report.rewritten.iter().map(|it| it.samples_out).sum::<u64>();
            refused += outcome.report.passed;
            let explained =
                explain(&plan, Options::default(), History::default(), text.as_bytes(), None);
            assert_eq!(explained.expect("within the limits").output, outcome.body, "{context}");
            if rule.values.is_empty() {
                // What is rewritten comes back as it was.
                let again = rewrite(&plan_of(&pack, back), &outcome.body);
                assert_same_series(&read.stored(), &again.read().stored(), &context);
                round_trips += 1;
            }
            if seed % 40 == 0 {
                rewrite_at_every_cut(&plan, Options::default(), &text);
            }
        }
    }
    assert!(rewritten > 20_000, "{rewritten}");
    assert!(refused > 5_000, "{refused}");
    assert!(round_trips > 1_000, "{round_trips}");
}

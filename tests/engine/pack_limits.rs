//! What a pack may cost to read and to compile, whatever it contains.

use crossfade::document::{Diagnostic, Diagnostics};
use crossfade::mapping::{Emit, Pack, Settings, StatsdSettings, compile, compile_statsd};
use crossfade::packs;

/// A pack with this many rules under `key`.
fn many(key: &str, count: usize, rule: impl Fn(usize) -> String) -> String {
    let rules: Vec<String> = (0..count).map(|index| format!("  - {{{}}}\n", rule(index))).collect();
    let rules = rules.concat();
    format!("name: many\nprefix: p\n{key}:\n{rules}")
}

/// Reads and compiles a pack; returns its errors.
fn compiled(text: &str) -> Vec<Diagnostic> {
    let (pack, mut errors) = Pack::read("many.yaml", text);
    let packs = [packs::builtin(), pack.into_iter().collect()].concat();
    for emit in [Emit::Old, Emit::New] {
        if let Err(Diagnostics(more)) = compile(&packs, &Settings::new(emit)) {
            errors.extend(more);
        }
        if let Err(Diagnostics(more)) = compile_statsd(&packs, &StatsdSettings::new(emit)) {
            errors.extend(more);
        }
    }
    errors
}

/// With every rule compared with every other, each of these packs takes minutes.
#[test]
fn ten_thousand_rules_compile_at_once() {
    type Rule = fn(usize) -> String;
    let cases: [(&str, Rule); 7] = [
        ("prometheus", |i| format!("old: 'a{i}{{x=$y}}', new: 'b{i}{{z=$y}}', type: counter")),
        ("prometheus", |i| format!("old: 'a{{x=\"{i}\"}}', new: 'b{{z=\"{i}\"}}', type: counter")),
        ("prometheus", |i| format!("old: 'a{i}{{x}}', new: 'a{i}{{z=\"1\"}}', type: counter")),
        ("statsd", |i| format!("old: 'a{i}.{{x}}:c', new: 'b{i}.{{x}}:c'")),
        ("statsd", |i| format!("old: 'a.{{x}}.a{i}:c', new: 'b.{{x}}.b{i}:c'")),
        ("statsd", |i| format!("old: 'a.{{x*}}.a{i}:c', new: 'b.{{x*}}.b{i}:c'")),
        ("statsd", |i| format!("old: 'o.{{x*}}.a{i}.b:c', new: 'n.{{x*}}.a{i}.b:c'")),
    ];
    for (key, rule) in cases {
        let errors = compiled(&many(key, 10_000, rule));
        assert_eq!(errors.first().map(ToString::to_string), None, "{}", rule(1));
    }
}

#[test]
fn contradictions_are_reported_up_to_a_limit() {
    type Rule = fn(usize) -> String;
    let cases: [(&str, Rule); 4] = [
        ("statsd", |i| {
            let at = i % 12;
            let name: Vec<String> = (0..12)
                .map(|j| if j == at { format!("k{i}") } else { format!("{{v{j}}}") })
                .collect();
            let values: Vec<String> =
                (0..12).filter(|j| *j != at).map(|j| format!("{{v{j}}}")).collect();
            format!("old: '{}:c', new: 'n{i}.{}:c'", name.join("."), values.join("."))
        }),
        ("prometheus", |i| format!("old: 'a{{x{i}=\"1\"}}', new: 'b{i}', type: counter")),
        ("prometheus", |i| format!("old: 'a{i}', new: 'b{i}', includes: c{i}")),
        ("prometheus", |i| format!("old: 'a{i}{{', new: 'b{i}'")),
    ];
    for (key, rule) in cases {
        let errors = compiled(&many(key, 2_000, rule));
        let text = Diagnostics(errors.clone()).to_string();
        assert!((100..=405).contains(&errors.len()), "{} of {}", errors.len(), rule(1));
        assert!(text.len() < 100_000, "{}", text.len());
        let says_so = |it: &Diagnostic| {
            let message = &it.message;
            message.contains("more errors") || message.contains("the rest has not been checked")
        };
        assert!(errors.iter().any(says_so), "{}", rule(1));
    }
}

#[test]
fn names_that_both_generations_may_mean_are_limited() {
    let both = |i| {
        let (old, new) = (format!("a{i}.{{x}}"), format!("{{x}}.b{i}"));
        format!("old: '{old}:c', new: '{new}:c'")
    };
    let text = format!("{}either: ['{{x}}.{{y}}']\n", many("statsd", 2_000, both));
    let errors = compiled(&text);
    assert!(errors[0].message.contains("more than 10000 names are ambiguous"), "{}", errors[0]);
}

#[test]
fn packs_that_are_too_large_are_refused() {
    let errors = compiled(&many("prometheus", 100_000, |i| format!("old: a{i}, new: b{i}")));
    assert!(errors[0].message.contains("more than 20000"), "{}", errors[0]);
    let long = format!("name: long\ndescription: {}\n", "x".repeat(10_000_000));
    assert_eq!(compiled(&long)[0].to_string(), "many.yaml: longer than 8 MiB; split the file");
    let deep = format!("name: {}", "[".repeat(10_000));
    assert!(compiled(&deep)[0].message.contains("deep"), "{}", compiled(&deep)[0]);
    let levels = (1..12).map(|i| {
        format!("a{i}: &a{i} [{}]\n", ["*a"; 10].map(|a| format!("{a}{}", i - 1)).join(", "))
    });
    let bomb = format!("a0: &a0 [x, x, x, x]\n{}", levels.collect::<String>());
    assert!(compiled(&bomb)[0].message.contains("repeat too much"), "{}", compiled(&bomb)[0]);
}

/// A value of the file can be as long as the file.
#[test]
fn messages_do_not_quote_a_whole_file() {
    let text = format!("name: a\nprometheus: [{{old: '{}', new: b}}]\n", "é ".repeat(500_000));
    for error in compiled(&text) {
        assert!(error.to_string().len() < 3_000, "{}", error.to_string().len());
        assert!(error.to_text().len() < 6_000, "{}", error.to_text().len());
    }
}

//! The names that two patterns share.
//!
//! A name has at most one `{x*}`, so the intersection of two patterns is a short list of patterns:
//! one for each length up to the length at which both `{x*}` align, and one for all longer names.

use std::cmp::Ordering;

use crate::mapping::segment::Segment;

/// The names that both read, as patterns.
pub(super) fn shared(a: &[Segment], b: &[Segment]) -> Vec<Vec<Segment>> {
    let (Some(many_a), Some(many_b)) = (many(a), many(b)) else {
        let length = if many(a).is_none() { a.len() } else { b.len() };
        return of_length(a, b, length).into_iter().collect();
    };
    let heads = many_a.max(many_b);
    let tails = (a.len() - many_a).max(b.len() - many_b) - 1;
    // If the heads or tails contradict each other, no length matches.
    let Some(longest) = of_length(a, b, heads + 1 + tails) else { return Vec::new() };
    let shorter =
        (a.len().max(b.len())..heads + 1 + tails).filter_map(|length| of_length(a, b, length));
    let mut all: Vec<Vec<Segment>> = shorter.collect();
    all.push(longest);
    all
}

/// False if the first or the last segments contradict each other, so that nothing is shared.
pub(super) fn meet(a: &[Segment], b: &[Segment]) -> bool {
    fn agree<'a>(
        a: impl Iterator<Item = &'a Segment>,
        b: impl Iterator<Item = &'a Segment>,
    ) -> bool {
        let pairs = a.zip(b);
        let fixed = |(a, b): &(&Segment, &Segment)| {
            !matches!(a, Segment::Many(_)) && !matches!(b, Segment::Many(_))
        };
        pairs.take_while(fixed).all(|pair| match pair {
            (Segment::Text(a), Segment::Text(b)) => a == b,
            _ => true,
        })
    }
    agree(a.iter(), b.iter()) && {
        let varies = many(a).is_some() || many(b).is_some();
        !varies || agree(a.iter().rev(), b.iter().rev())
    }
}

/// True if `wide` reads every name that `narrow` reads.
pub(super) fn contains(wide: &[Segment], narrow: &[Segment]) -> bool {
    let pair = |(wide, narrow): (&Segment, &Segment)| match (wide, narrow) {
        (Segment::Many(_), _) => true,
        (_, Segment::Many(_)) | (Segment::Text(_), Segment::One(..)) => false,
        (Segment::Text(wide), Segment::Text(narrow)) => wide == narrow,
        (Segment::One(_, except), Segment::Text(text)) => !except.contains(text),
        (Segment::One(_, wide), Segment::One(_, narrow)) => {
            wide.iter().all(|text| narrow.contains(text))
        }
    };
    stretched(wide, narrow.len()).is_some_and(|wide| wide.into_iter().zip(narrow).all(pair))
}

/// Which of two patterns is tried first, compared from the left: text, `{x}`, `{x*}`.
pub(super) fn order(a: &[Segment], b: &[Segment]) -> Ordering {
    let rank = |segment: &Segment| match segment {
        Segment::Text(_) => (0, 0),
        Segment::One(_, except) => (1, usize::MAX - except.len()),
        Segment::Many(_) => (2, 0),
    };
    let ranks = |segments: &[Segment]| segments.iter().map(rank).collect::<Vec<_>>();
    match (many(a), many(b)) {
        (Some(many_a), Some(many_b)) if many_a == many_b => {
            // After the `{x*}`, compare from the right; more segments come first.
            let tail = |segments: &[Segment]| -> Vec<_> {
                let ranks = segments.iter().skip(many_a + 1).rev().map(rank);
                ranks.chain([(9, 9)]).collect()
            };
            ranks(&a[..many_a]).cmp(&ranks(&b[..many_b])).then_with(|| tail(a).cmp(&tail(b)))
        }
        _ => ranks(a).cmp(&ranks(b)),
    }
}

/// A name that these segments read.
pub(super) fn example(segments: &[Segment]) -> String {
    let texts = segments.iter().map(|segment| match segment {
        Segment::Text(text) => text.clone(),
        Segment::Many(_) => "x".to_owned(),
        Segment::One(_, except) => {
            let lengths = 1..=except.len() + 1;
            let free = lengths.map(|length| "x".repeat(length)).find(|it| !except.contains(it));
            free.expect("there are more lengths than excluded texts")
        }
    });
    texts.collect::<Vec<_>>().join(".")
}

fn many(segments: &[Segment]) -> Option<usize> {
    segments.iter().position(|segment| matches!(segment, Segment::Many(_)))
}

/// The names of this many segments that both read; longer names too, where both have their `{x*}`.
fn of_length(a: &[Segment], b: &[Segment], length: usize) -> Option<Vec<Segment>> {
    let (a, b) = (stretched(a, length)?, stretched(b, length)?);
    a.into_iter().zip(b).map(|(a, b)| both(a, b)).collect()
}

/// The segments with the `{x*}` repeated up to `length`; `None` if they do not fit.
fn stretched(segments: &[Segment], length: usize) -> Option<Vec<&Segment>> {
    let more = length.checked_sub(segments.len())?;
    match many(segments) {
        None => (more == 0).then(|| segments.iter().collect()),
        Some(many) => {
            let (head, tail) = segments.split_at(many);
            let repeated = std::iter::repeat_n(&segments[many], more);
            Some(head.iter().chain(repeated).chain(tail).collect())
        }
    }
}

/// The intersection of two segments.
fn both(a: &Segment, b: &Segment) -> Option<Segment> {
    match (a, b) {
        (narrow, Segment::Many(_)) | (Segment::Many(_), narrow) => Some(narrow.clone()),
        (Segment::Text(text), Segment::Text(other)) => (text == other).then(|| a.clone()),
        (Segment::Text(text), Segment::One(_, except))
        | (Segment::One(_, except), Segment::Text(text)) => {
            (!except.contains(text)).then(|| Segment::Text(text.clone()))
        }
        (Segment::One(placeholder, except), Segment::One(_, more)) => {
            let more = more.iter().filter(|text| !except.contains(text));
            let except = except.iter().chain(more).cloned().collect();
            Some(Segment::One(placeholder.clone(), except))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::pack::statsd::pattern::parse_name;
    use crate::mapping::segment::Dotted;

    fn name(text: &str) -> Vec<Segment> {
        parse_name(text).unwrap()
    }

    fn texts(names: &[Vec<Segment>]) -> Vec<String> {
        names.iter().map(|name| Dotted(name).to_string()).collect()
    }

    #[test]
    fn what_names_share() {
        for (a, b, expected) in [
            ("a.b", "a.b", &["a.b"][..]),
            ("a.b", "a.c", &[]),
            ("a.b", "a", &[]),
            ("a.{x}", "{y}.b", &["a.b"]),
            ("{x!=a}", "a", &[]),
            ("{x!=a}", "b", &["b"]),
            ("{x!=a}", "{y!=b,a}", &["{x!=a,b}"]),
            ("{x*}", "a.b.c", &["a.b.c"]),
            ("a.{x*}.d", "a.b.c.d", &["a.b.c.d"]),
            ("a.{x*}.d", "a.d", &[]),
            ("a.{x*}.d", "a.b.c", &[]),
            ("{x*}", "{y*}", &["{x*}"]),
            ("{x*}.b", "{y*}.c", &[]),
            ("a.{x*}", "b.{y*}", &[]),
            ("a.{x*}", "{y*}.b", &["a.b", "a.{x*}.b"]),
            ("a.{x*}.b", "a.{y*}.c.b", &["a.{x*}.c.b"]),
            ("a.b.{x*}", "a.{y*}.c.d", &["a.b.c.d", "a.b.{x*}.c.d"]),
            ("a.b.{x*}", "a.{y*}.{z}.d", &["a.b.{z}.d", "a.b.{x*}.{z}.d"]),
            ("s.{s}.u.{c*}.r.n", "{t}.u.{d*}.r.n", &["s.u.u.{c*}.r.n"]),
        ] {
            assert_eq!(texts(&shared(&name(a), &name(b))), expected, "{a} {b}");
            assert_eq!(shared(&name(b), &name(a)).len(), expected.len(), "{b} {a}");
            assert!(expected.is_empty() || meet(&name(a), &name(b)), "{a} {b}");
        }
    }

    #[test]
    fn what_contains_what() {
        for (wide, narrow, contains_it) in [
            ("a", "a", true),
            ("{x}", "a", true),
            ("a", "{x}", false),
            ("{x}", "{y!=a}", true),
            ("{x!=a}", "{y}", false),
            ("{x!=a}", "{y!=a,b}", true),
            ("{x!=a}", "a", false),
            ("{x*}", "a.b.{y}", true),
            ("{x*}.b", "a.{y*}.c.b", true),
            ("{x*}", "{y*}", true),
            ("{x}", "{y*}", false),
            ("{x}.{y}", "a.{z*}", false),
            ("a.{x*}", "a", false),
        ] {
            assert_eq!(contains(&name(wide), &name(narrow)), contains_it, "{wide} {narrow}");
        }
    }

    #[test]
    fn what_is_tried_first() {
        for (first, second) in [
            ("a.b", "a.{x}"),
            ("a.{x}", "a.{x*}"),
            ("a.{x}.c", "{x}.b.c"),
            ("{x!=a}.b", "{x}.b"),
            ("a.{x*}.c.b", "a.{x*}.b"),
            ("a.{x*}.b", "a.{x*}.{y}"),
            ("{x}.{y*}", "{x*}.b"),
        ] {
            assert_eq!(order(&name(first), &name(second)), Ordering::Less, "{first} {second}");
            assert_eq!(order(&name(second), &name(first)), Ordering::Greater, "{second} {first}");
        }
    }

    #[test]
    fn examples_are_read_by_what_they_exemplify() {
        for text in ["a.{x}", "{x!=x,xx}.{y*}", "{x*}.a"] {
            assert!(contains(&name(text), &name(&example(&name(text)))), "{text}");
        }
    }
}

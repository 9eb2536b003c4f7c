//! Lines and their parts.

use super::*;

fn parts(line: &str) -> [String; 5] {
    let line = Line::parse(line.as_bytes()).unwrap();
    let more = &line.after_name[line.fields..];
    [line.name(), line.values(), line.metric_type(), line.fields(), more]
        .map(|part| String::from_utf8(part.to_vec()).unwrap())
}

#[test]
fn the_parts_of_a_line() {
    for (line, expected) in [
        ("a.b:1|c", ["a.b", "1", "c", "", ""]),
        ("a:-1|g", ["a", "-1", "g", "", ""]),
        ("a:+0.5|g", ["a", "+0.5", "g", "", ""]),
        ("a:1|c|@0.1", ["a", "1", "c", "|@0.1", ""]),
        ("a:1|ms|@0.1|#k:v,w", ["a", "1", "ms", "|@0.1|#k:v,w", ""]),
        // A container id, a timestamp, external data, a cardinality, something from the future.
        ("a:1|c|c:in-12|T170|e:x|card:low|?", ["a", "1", "c", "|c:in-12|T170|e:x|card:low|?", ""]),
        ("a:1:2:3|ms|#k:v", ["a", "1:2:3", "ms", "|#k:v", ""]),
        ("a:1|c:2|c", ["a", "1", "c", "", ":2|c"]),
        ("a:1|c|@0.1:320|ms|@0.5", ["a", "1", "c", "|@0.1", ":320|ms|@0.5"]),
        ("a:1|c|@0.1|#k:v", ["a", "1", "c", "|@0.1|#k:v", ""]),
        ("a:any text|s", ["a", "any text", "s", "", ""]),
        ("a:|c", ["a", "", "c", "", ""]),
        ("a:1|", ["a", "1", "", "", ""]),
        (":1|c", ["", "1", "c", "", ""]),
        ("a,k=v:1|c", ["a,k=v", "1", "c", "", ""]),
        ("a:x|y|s", ["a", "x|y", "s", "", ""]),
        ("a:1|c|#k:x|s", ["a", "1", "c", "|#k:x|s", ""]),
        ("a:1|c|@0.1|s", ["a", "1|c|@0.1", "s", "", ""]),
        ("a:x|y@z|s", ["a", "x|y@z", "s", "", ""]),
    ] {
        assert_eq!(parts(line), expected, "{line}");
        assert_eq!(Line::check(line.as_bytes()), Ok(()), "{line}");
    }
}

#[test]
fn lines_without_a_metric() {
    for (line, reason) in [
        ("", NotMetric::Blank),
        ("_e{5,4}:title|text|#a:b", NotMetric::Event),
        ("_sc|name|0|m:message:1|c", NotMetric::ServiceCheck),
        ("a", NotMetric::Unreadable),
        ("a:1", NotMetric::Unreadable),
        ("a|c", NotMetric::Unreadable),
        ("a|c:1", NotMetric::Unreadable),
        ("\0\0", NotMetric::Unreadable),
    ] {
        assert_eq!(Line::parse(line.as_bytes()), Err(reason), "{line}");
        assert_eq!(Line::check(line.as_bytes()), Err(reason), "{line}");
    }
    assert!(Line::parse(b"_event:1|c").is_ok(), "an underscore alone is not an event");
}

#[test]
fn samples_are_separate_lines() {
    let line = Line::parse(b"a:1|c:2:3|ms|@0.1:4|g|#k:v:w").unwrap();
    let samples: Vec<_> =
        line.samples().map(|it| [it.name(), it.values(), it.metric_type(), it.fields()]).collect();
    assert_eq!(
        samples,
        [
            [&b"a"[..], b"1", b"c", b""],
            [b"a", b"2:3", b"ms", b"|@0.1"],
            [b"a", b"4", b"g", b"|#k:v:w"],
        ]
    );
}

#[test]
fn tags_at_the_end_apply_to_every_sample() {
    let line = Line::parse(b"a:1|ms:2|ms|@0.5|#own:x:3|ms|#k:v").unwrap();
    assert_eq!(line.samples().count(), 2, "a colon in tags begins no sample");
    let line = Line::parse(b"a:1|ms:2|ms|@0.5:3|ms|@0.1|#k:v").unwrap();
    let samples: Vec<_> =
        line.samples().map(|it| (it.fields(), it.shared(), it.tags().unwrap())).collect();
    assert_eq!(
        samples,
        [
            (&b""[..], &b"|#k:v"[..], &b"k:v"[..]),
            (b"|@0.5", b"|#k:v", b"k:v"),
            (b"|@0.1|#k:v", b"", b"k:v"),
        ]
    );
}

#[test]
fn blanks_at_the_end_are_not_part_of_a_line() {
    for (line, trimmed) in
        [("a:1|c\r", "a:1|c"), ("a:1|c \t\r", "a:1|c"), ("a:1|c", "a:1|c"), (" \r", ""), ("", "")]
    {
        assert_eq!(Line::trimmed(line.as_bytes()), trimmed.as_bytes(), "{line:?}");
    }
}

#[test]
fn confidence_depends_on_the_form_of_the_value() {
    for (line, confidence) in [
        ("a:1|c", Confidence::Sure),
        ("a:nil|ms", Confidence::Sure),
        ("a:1:2:-3.5e7|h", Confidence::Sure),
        ("a:1|c:2|c|@0.1:3|g", Confidence::Sure),
        ("a:text|s", Confidence::Sure),
        ("a:te:xt|s", Confidence::Doubtful),
        ("a:te|x.t|s", Confidence::Doubtful),
        ("a.[2001:db8::1].b:1|c", Confidence::Wrong),
        ("a.c:5|x@y.b:1|c", Confidence::Wrong),
        ("a.c:5|x:y.b:1|c", Confidence::Wrong),
        ("a:u|s:w|s", Confidence::Sure),
        ("a:1|c:2", Confidence::Wrong),
        ("a:1|", Confidence::Wrong),
    ] {
        assert_eq!(Line::parse(line.as_bytes()).unwrap().confidence(), confidence, "{line}");
    }
}

#[test]
fn many_samples_are_read_in_linear_time() {
    let line = format!("a{}", ":1|c".repeat(16_000));
    let line = Line::parse(line.as_bytes()).unwrap();
    assert_eq!(line.confidence(), Confidence::Sure);
    assert_eq!(line.samples().count(), 16_000);
}

#[test]
fn a_later_reading_finds_the_intended_name() {
    let text = b"a.[2001:db8::1].b:1|c|@0.5";
    let mut from = 0;
    let line = loop {
        let line = Line::parse_from(text, from).unwrap();
        if line.confidence() != Confidence::Wrong {
            break line;
        }
        from = line.name().len() + 1;
    };
    assert_eq!(line.name(), b"a.[2001:db8::1].b");
    assert_eq!(line.rate(), Some(&b"0.5"[..]));
    assert_eq!(Line::parse_from(text, 999), Err(NotMetric::Unreadable));
}

#[test]
fn rates_and_tags() {
    let line = Line::parse(b"a:1|c|c:x|@0.1|#k:v,w|T1").unwrap();
    assert_eq!(line.rate(), Some(&b"0.1"[..]));
    assert_eq!(line.tags(), Some(&b"k:v,w"[..]));
    let line = Line::parse(b"a:1|c|#k:v|w|@x,l|@.5").unwrap();
    assert_eq!((line.rate(), line.tags()), (Some(&b".5"[..]), Some(&b"k:v|w|@x,l"[..])));
    assert_eq!(Line::parse(b"a:1|c").unwrap().tags(), None);
}

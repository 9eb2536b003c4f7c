//! Lines of the text format: how they are read, and which are refused.

use super::*;

fn scanner() -> Scanner {
    Scanner::new(1000, 8, Format::Text)
}

fn scanner_of_openmetrics() -> Scanner {
    Scanner::new(1000, 8, Format::OpenMetrics)
}

/// The sample as `name{label=value,…} value`.
fn read(scanner: &mut Scanner, line: &str) -> Result<String, Flaw> {
    match scanner.scan(line.as_bytes()) {
        Scan::Sample(sample) => {
            assert_eq!(sample.len, line.len(), "{line:?}");
            let text = |span: Span| std::str::from_utf8(span.of(line.as_bytes())).unwrap();
            let labels: Vec<_> = scanner
                .labels()
                .iter()
                .map(|l| format!("{}={}", text(l.name), text(l.value)))
                .collect();
            Ok(format!(
                "{}{{{}}} {}",
                text(scanner.name()),
                labels.join(","),
                text(scanner.value())
            ))
        }
        Scan::Flawed { flaw, .. } => Err(flaw),
        other => panic!("{line:?}: {other:?}"),
    }
}

#[test]
fn samples_as_prometheus_reads_them() {
    let ok = |line: &str, expected: &str| {
        assert_eq!(read(&mut scanner(), line).as_deref(), Ok(expected), "{line:?}");
    };
    ok("a 1\n", "a{} 1");
    ok("a{} 1\n", "a{} 1");
    ok("a{b=\"c\"} 1\n", "a{b=c} 1");
    ok("a { b\t= \"c\" , d=\"\" ,\t} \t1 \t 1234 \n", "a{b=c,d=} 1"); // blanks anywhere
    ok("a:b_C9{b=\"c\",} +Inf\n", "a:b_C9{b=c} +Inf"); // trailing comma
    ok("a{b=\"c\"}1\n", "a{b=c} 1"); // no blank after the brace
    ok("a{b=\"\\\"q\\\\\"} 1\n", "a{b=\\\"q\\\\} 1");
    ok("a{b=\"x}y,z=\\\"1\\\"\"} 1\n", "a{b=x}y,z=\\\"1\\\"} 1");
    ok("a{b=\"two\nlines\"} 1\n", "a{b=two\nlines} 1"); // a raw newline is part of the value
    ok("a{b=\"nul\0\"} 1\n", "a{b=nul\0} 1");
    ok("a{b=\"\\é\"} 1\n", "a{b=\\é} 1");
    ok("{\"my.metric\",b=\"c\"} 1\n", "my.metric{b=c} 1"); // quoted names, since 3.0
    ok("{\"my.metric\"} 1\n", "my.metric{} 1");
    ok("a{\"l.x\"=\"y\"} 1\n", "a{\"l.x\"=y} 1");
    ok("a{\"b\"=\"c\"} 1\n", "a{b=c} 1");
    ok("{b=\"c\",\"my.metric\"} 1\n", "my.metric{b=c} 1");
    ok("a{b=\"c\"d=\"e\"} 1\n", "a{b=c,d=e} 1"); // no comma
}

#[test]
fn samples_of_openmetrics() {
    let mut scanner = scanner_of_openmetrics();
    for (line, timestamp) in [
        ("a 1 # {trace_id=\"x\"} 0.5 123.4\n", None),
        ("a 1 99 # {} 1\n", Some(99_000)),
        ("a 1 1700000000.0625\n", Some(1_700_000_000_063)),
        ("a 1 -5\n", Some(-5_000)),
    ] {
        assert_eq!(read(&mut scanner, line).as_deref(), Ok("a{} 1"), "{line:?}");
        assert_eq!(scanner.timestamp(), timestamp, "{line:?}");
    }
    assert_eq!(read(&mut scanner, "a 1 x\n"), Err(Flaw::BadTimestamp));
}

#[test]
fn lines_that_fail_a_scrape_have_a_reason() {
    let bad = |line: &str, flaw: Flaw| {
        assert_eq!(read(&mut scanner(), line), Err(flaw), "{line:?}");
    };
    bad("<html>\n", Flaw::BadName);
    bad("9a 1\n", Flaw::BadName);
    bad(" a 1\n", Flaw::BadName);
    bad("\ta{b=\"c\"} 1\n", Flaw::BadName);
    bad("\0a 1\n", Flaw::BadName); // Prometheus would silently stop here
    bad("\u{feff}a 1\n", Flaw::BadName);
    bad("a+1\n", Flaw::BadName);
    bad("a\n", Flaw::BadName);
    bad("a{b=\"c\"}\n", Flaw::BadValue);
    bad("a \n", Flaw::BadValue);
    bad("a 1\r\n", Flaw::BadValue);
    bad("a nil\n", Flaw::BadValue);
    bad("a 1 -5\n", Flaw::BadTimestamp);
    bad("a 1 1.5\n", Flaw::BadTimestamp);
    bad("a 1 99999999999999999999\n", Flaw::BadTimestamp);
    bad("a 1 2 3\n", Flaw::BadTimestamp);
    bad("a 1 #\n", Flaw::BadTimestamp);
    bad("a{,} 1\n", Flaw::BadLabels);
    bad("a{b:c=\"d\"} 1\n", Flaw::BadLabels);
    bad("a{b='c'} 1\n", Flaw::BadLabels);
    bad("a{b=\"c\",le=\"nil\"} 1\"} 2\n", Flaw::BadValue);
    bad("a{b=\"x,le=\"nil\"} 20\n", Flaw::BadLabels);
    bad("a{b=\"c\",b=\"d\"} 1\n", Flaw::DuplicateLabel);
    bad("a{__name__=\"b\"} 1\n", Flaw::DuplicateLabel);
    bad("line2\",b=\"c\"} 1\n", Flaw::BadName);
    assert!(matches!(
        scanner().scan(b"a{b=\"caf\xe9\"} 1\n"),
        Scan::Flawed { flaw: Flaw::BadUtf8, .. }
    ));
    bad("a 1 # {} 1\n", Flaw::BadTimestamp);
    bad("a{b=\"c\",\"b\"=\"d\"} 1\n", Flaw::DuplicateLabel);
    bad("{b=\"c\"} 1\n", Flaw::BadName);
    bad("{\"a\",\"b\"} 1\n", Flaw::BadLabels);
}

#[test]
fn a_flawed_line_ends_at_its_first_newline() {
    let scan = scanner().scan(b"a{b=\"open 1\nc{d=\"e\"} 1\n");
    assert_eq!(scan, Scan::Flawed { len: 12, flaw: Flaw::BadLabels });
}

#[test]
fn limits() {
    let mut scanner = Scanner::new(5, 1, Format::OpenMetrics);
    assert!(matches!(scanner.scan(b"a 123\n"), Scan::Sample(_)));
    assert_eq!(scanner.scan(b"a 1234\n"), Scan::TooLong);
    assert_eq!(scanner.scan(b"a 123"), Scan::Incomplete);
    assert_eq!(scanner.scan(b"# 1234567"), Scan::TooLong);
    let mut scanner = Scanner::new(50, 1, Format::OpenMetrics);
    assert_eq!(scanner.scan(b"a{b=\"\",c=\"\"} 1\n"), Scan::TooManyLabels);
}

#[test]
fn a_line_cut_short_is_incomplete_or_the_same() {
    for line in [
        "a{b=\"c\\\"\",d=\"é\nf\"} 1.5 1234 # {x=\"y\"} 2\n",
        "# HELP a b\n",
        "# other\n",
        "a{b=\"x\"nil\n",
        "  \n",
        "{\"q.n\", \"l.n\"=\"v\"} 12\n",
        "{b=\"c\" , \"q.n\"} 12\n",
    ] {
        let whole = scanner_of_openmetrics().scan(line.as_bytes());
        for cut in 0..line.len() {
            let part = scanner_of_openmetrics().scan(&line.as_bytes()[..cut]);
            assert_eq!(part, Scan::Incomplete, "{:?}", &line.as_bytes()[..cut]);
        }
        let mut longer = line.as_bytes().to_vec();
        longer.extend_from_slice(b"z{");
        assert_eq!(scanner_of_openmetrics().scan(&longer), whole, "{line:?}");
    }
}

#[test]
fn the_previous_sample_does_not_affect_the_result() {
    // Each line differs from the previous one in another place.
    let lines = [
        "a{b=\"c\",d=\"e\",le=\"1\"} 1\n",
        "a{b=\"c\",d=\"e\",le=\"25\"} 10\n",
        "a{b=\"c\",d=\"e\",le=\"25\"} 11\n",
        "a{b=\"c\",d=\"e\",le=\"25\",x=\"y\"} 11\n",
        "a{b=\"c\",d=\"f\"} 11\n",
        "a{b=\"c\",d=\"f\",b=\"g\"} 11\n",
        "a{b=\"c\",d=\"f\"} 12\n",
        "a{b=\"c\",d=\"f\", e=\"\\\"\n\",g=\"h\"} 12\n",
        "a{b=\"longer\",d=\"f\", e=\"\\\"\n\",g=\"h\"} 13\n", // labels after it move
        "a{b=\"\",d=\"f\", e=\"\\\"\n\",g=\"\\o\"} 14\n",
        "a{b=\"\",d=\"ff\", e=\"\\\"\n\",g=\"h\",} 15\n",
        "a{b=\"x\",d=\"ff\", e=\"\\\"\n\",g=\"h\",i=\"j\"} 16\n",
        "a{b=\"xx\",d=\"ff\", e=\"\\\"\n\",g=\"h\"} 17\n",
        "a{b=\"x\",d=\"ff\", e=\"\\\"\n\",g=\"h\",b=\"j\"} 18\n",
        "a{b=\"cc\"} 12 5\n",
        "a{b=\"cc\"} 1x\n",
        "a{b=\"cc\"} 1\n",
        "a_sum{b=\"cc\"} 1\n",
        "a_sum 1\n",
        "a 1\n",
        "a{b=\"\"} 1\n",
        "a{bb=\"\"} 1\n",
    ];
    let mut scanner = scanner();
    for line in lines {
        let mut alone = self::scanner();
        let found = read(&mut scanner, line);
        assert_eq!(found, read(&mut alone, line), "{line:?}");
        if found.is_ok() {
            let parts = |of: &Scanner| (of.name(), of.labels_end(), of.value());
            assert_eq!(parts(&scanner), parts(&alone), "{line:?}");
            assert_eq!(scanner.labels(), alone.labels(), "{line:?}");
        }
    }
}

#[test]
fn shared_counts_equal_parts() {
    let mut scanner = scanner();
    let mut shared = |line: &str| match scanner.scan(line.as_bytes()) {
        Scan::Sample(sample) => sample.shared,
        other => panic!("{other:?}"),
    };
    assert_eq!(shared("a{b=\"c\",d=\"e\"} 1\n"), 0);
    assert_eq!(shared("a{b=\"c\",d=\"f\"} 1\n"), 2);
    assert_eq!(shared("a{b=\"d\",d=\"f\"} 1\n"), 1);
    assert_eq!(shared("a{b=\"d\",d=\"f\",e=\"g\"} 1\n"), 1);
    assert_eq!(shared("b{b=\"d\",d=\"f\"} 1\n"), 0);
}

#[test]
fn scan_alike_agrees_with_scan() {
    let first = "a{b=\"c\",le=\"1\"} 1\n";
    for (line, alike) in [
        ("a{b=\"c\",le=\"1\"} 1\n", true),
        ("a{b=\"c\",le=\"+Inf\"} 123456789012345\n", true),
        ("a{b=\"c\",le=\"\"} 0\n", true),
        ("a{b=\"c\",le=\"1\"} 1234567890123456\n", false), // too many digits to be exact
        ("a{b=\"c\",le=\"1\"} 1.5\n", false),
        ("a{b=\"c\",le=\"1\"} 1 99\n", false),
        ("a{b=\"c\",le=\"1\"}  1\n", false),
        ("a{b=\"c\",le=\"1\",} 1\n", false),
        ("a{b=\"c\",le=\"\\\\\"} 1\n", false),
        ("a{b=\"c\",le=\"é\"} 1\n", false),
        ("a{b=\"d\",le=\"1\"} 1\n", false),
        ("a{b=\"c\",le=\"1\",x=\"y\"} 1\n", false),
    ] {
        let (mut quick, mut slow) = (scanner(), scanner());
        assert!(matches!(quick.scan(first.as_bytes()), Scan::Sample(_)));
        let found = quick.scan_alike(line.as_bytes());
        assert_eq!(found.is_some(), alike, "{line:?}");
        for cut in 0..line.len() {
            assert_eq!(quick.scan_alike(&line.as_bytes()[..cut]), None, "{line:?}");
        }
        if let Some(sample) = found {
            let Scan::Sample(expected) = slow.scan(line.as_bytes()) else { panic!("{line:?}") };
            assert_eq!((sample.len, sample.value), (expected.len, expected.value));
            assert_eq!((quick.labels(), quick.value()), (slow.labels(), slow.value()));
            assert_eq!(quick.labels_end(), slow.labels_end());
        }
    }
}

#[test]
fn samples_of_a_series_are_those_that_scan_finds() {
    let (name, labels) = (b"a_sum", b"b=\"c\",d=\"}\"");
    for (line, expected) in [
        ("a_sum{b=\"c\",d=\"}\"} 12\n", Some(12.0)),
        ("a_sum{b=\"c\",d=\"}\"} 123456789012345\n", Some(123_456_789_012_345.0)),
        ("a_sum{b=\"c\",d=\"}\"} 12345678901234567\n", Some(12_345_678_901_234_567.0)),
        ("a_sum{b=\"c\",d=\"}\"} -1.5e3\n", Some(-1500.0)),
        ("a_sum{b=\"c\",d=\"}\"} +Inf\n", Some(f64::INFINITY)),
        ("a_sum{b=\"c\",d=\"}\"} 1 99\n", None),
        ("a_sum{b=\"c\",d=\"}\"} 1 \n", None),
        ("a_sum{b=\"c\",d=\"}\"}  1\n", None),
        ("a_sum{b=\"c\",d=\"}\"} x\n", None),
        ("a_sum{b=\"c\",d=\"}\"} 0.00000000000000000000000000000001\n", None), // unusually long
        ("a_sum{b=\"c\",d=\"}\",} 1\n", None),
        ("a_sum{b=\"c\",d=\"x\"} 1\n", None),
        ("a_sun{b=\"c\",d=\"}\"} 1\n", None),
        ("a_sums{b=\"c\",d=\"}\"} 1\n", None),
    ] {
        let found = scanner().sample_of_series(line.as_bytes(), name, labels);
        assert_eq!(found.map(|sample| sample.value), expected, "{line:?}");
        if let Some(found) = found {
            let Scan::Sample(sample) = scanner().scan(line.as_bytes()) else { panic!("{line:?}") };
            assert_eq!((found.len, found.value), (sample.len, sample.value), "{line:?}");
        }
        for cut in 0..line.len() {
            let input = &line.as_bytes()[..cut];
            assert_eq!(scanner().sample_of_series(input, name, labels), None, "{line:?}");
        }
    }
    let line = b"a_sum{b=\"c\",d=\"}\"} 12\n";
    let short = Scanner::new(line.len() - 2, 8, Format::Text);
    assert_eq!(short.sample_of_series(line, name, labels), None);
}

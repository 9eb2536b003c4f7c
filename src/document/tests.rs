//! Documents of every shape, and that every scalar is found where it is written.

#![allow(clippy::format_collect, clippy::format_push_string, reason = "documents are short")]

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Vec<Node> {
    parse_yaml(&Source::new("f", text), Limits::EXPORTED)
        .unwrap_or_else(|error| panic!("{}", error.to_text()))
}

/// Every scalar of a text and the bytes it was read from.
fn scalars(text: &str) -> Vec<(String, String)> {
    let nodes = read(text);
    let mut all = Vec::new();
    for node in &nodes {
        node.scalars(&mut |scalar| {
            let written = text.get(scalar.span.range()).expect("a span of the text");
            all.push((scalar.text.clone(), written.to_owned()));
        });
    }
    all
}

fn error(text: &str) -> String {
    parse_one(&Source::new("f", text), Limits::WRITTEN).expect_err(text).to_string()
}

#[test]
fn spelling_and_style_are_kept() {
    let text =
        "[00025.0, 25, 1e3, 2_5, 0x19, 'a''b', \"q\\\"x\\u00fc\", yes, ~, -0, +5, 1e999, .nan]";
    let texts: Vec<String> = scalars(text).into_iter().map(|(text, _)| text).collect();
    assert_eq!(
        texts,
        [
            "00025.0", "25", "1e3", "2_5", "0x19", "a'b", "q\"xü", "yes", "~", "-0", "+5", "1e999",
            ".nan"
        ]
    );
    let styles: Vec<Style> = {
        let nodes = read("[a, 'a', \"a\"]");
        let Node::List(list) = &nodes[0] else { panic!("a list") };
        list.items.iter().map(|item| item.scalar().unwrap().style).collect()
    };
    assert_eq!(styles, [Style::Plain, Style::SingleQuoted, Style::DoubleQuoted]);
}

#[test]
fn spans_are_bytes_of_multibyte_text() {
    let text = "# ü\n- é: \"ß x\" # ü\n  ключ: 'ü'\n- [ö, {ä: å}]\n";
    assert_eq!(
        scalars(text),
        [("ß x", "\"ß x\""), ("ü", "'ü'"), ("ö", "ö"), ("å", "å")]
            .map(|(text, written)| (text.to_owned(), written.to_owned()))
    );
    let source = Source::new("f", text);
    let nodes = read(text);
    let Node::List(list) = &nodes[0] else { panic!("a list") };
    let Node::Map(map) = &list.items[0] else { panic!("a map") };
    assert_eq!(source.line_and_column(map.entries[0].1.span().start), (2, 6));
    assert_eq!(source.line_and_column(map.entries[1].0.span.start), (3, 3));
    assert_eq!(source.slice(map.span), "é: \"ß x\" # ü\n  ключ: 'ü'");
    assert_eq!(source.slice(list.items[1].span()), "[ö, {ä: å}]");
}

#[test]
fn block_scalars_have_the_span_of_their_lines() {
    let text = "k: |2-\n    one ü\n\n   two\nl: >\n  a\n  b\nm: x\n";
    let nodes = read(text);
    assert_eq!(nodes[0].str("k"), Some("  one ü\n\n two"));
    assert_eq!(nodes[0].str("l"), Some("a b\n"));
    let source = Source::new("f", text);
    let k = nodes[0].get("k").unwrap();
    assert_eq!(source.line(k.span().start), 2);
    assert!(source.slice(k.span()).contains("one ü\n\n   two"), "{:?}", source.slice(k.span()));
    assert_eq!(k.scalar().unwrap().style, Style::Block);
    assert_eq!(source.line_and_column(nodes[0].get("m").unwrap().span().start), (8, 4));
}

#[test]
fn carriage_returns_and_byte_order_marks_are_not_counted() {
    let text = "\u{feff}a: x\r\nb:\r\n  - 'y'\r\n  - z\r\n";
    assert_eq!(
        scalars(text),
        [("x", "x"), ("y", "'y'"), ("z", "z")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let source = Source::new("f", text);
    let nodes = read(text);
    let Node::Map(map) = &nodes[0] else { panic!("a map") };
    assert_eq!(source.line_and_column(map.entries[0].0.span.start), (1, 1));
    let item = nodes[0].list("b")[1].span();
    assert_eq!(source.line_and_column(item.start), (4, 5));
    let shown = source.error(item, "m", "h").to_text();
    assert!(shown.contains("4 |   - z\n"), "{shown:?}");
}

#[test]
fn values_that_are_left_out_are_null_after_their_key() {
    let text = "a:\nb: ~\nc: null\nd: ''\n\n# end\ne:\n";
    let source = Source::new("f", text);
    let nodes = read(text);
    let is_null = |key| nodes[0].get(key).unwrap().is_null();
    assert_eq!(["a", "b", "c", "d", "e"].map(is_null), [true, true, true, false, true]);
    assert_eq!(source.line_and_column(nodes[0].get("a").unwrap().span().start), (1, 2));
    assert_eq!(source.line_and_column(nodes[0].get("e").unwrap().span().start), (7, 2));
}

#[test]
fn anchors_aliases_and_merges() {
    let text = "\
base: &b {x: 1, y: 2}
more: &m {y: 3, z: 4}
a: {<<: *b, y: 9}
c: {<<: [*b, *m], w: 0}
d: *b
'<<': *b
";
    let nodes = read(text);
    let keys = |key: &str| match nodes[0].get(key) {
        Some(Node::Map(map)) => {
            let pair = |(key, node): &(Scalar, Node)| {
                format!("{}={}", key.text, node.scalar().unwrap().text)
            };
            map.entries.iter().map(pair).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(keys("a"), ["y=9", "x=1"]);
    assert_eq!(keys("c"), ["w=0", "x=1", "y=2", "z=4"]);
    assert_eq!(nodes[0].get("d"), nodes[0].get("base"));
    assert!(nodes[0].get("<<").is_some(), "a key in quotes is a key");
    assert!(error("a: &a [*a]").contains("f:1:"));
    assert!(error("a: *b").starts_with("f:1:4: "));
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let names = vec![format!("*a{}", level - 1); 10].join(",");
        bomb += &format!("a{level}: &a{level} [{names}]\n");
    }
    assert!(error(&bomb).contains("repeat too much"));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 16), "*a,".repeat(1 << 10));
    assert!(error(&long).contains("repeat too much"));
    let merges = format!("a: &a {{x: 1}}\nb:\n{}", "  - {<<: *a}\n".repeat(1000));
    assert_eq!(read(&merges)[0].list("b").len(), 1000);
}

#[test]
fn duplicate_keys_are_kept_for_the_reader() {
    let nodes = read("a: 1\na: 2\n");
    let Node::Map(map) = &nodes[0] else { panic!("a map") };
    assert_eq!(map.entries.len(), 2);
    assert_eq!(nodes[0].str("a"), Some("1"));
}

#[test]
fn depth_and_length_are_bounded() {
    assert!(error(&"[".repeat(10_000)).contains("nested more than 32"));
    assert!(error(&"{a: ".repeat(10_000)).contains("nested more than 32"));
    assert!(error(&"- ".repeat(10_000)).contains("nested more than 32"));
    let deep = format!("{}x{}", "[".repeat(32), "]".repeat(32));
    assert!(parse_one(&Source::new("f", deep), Limits::WRITTEN).is_ok());
    let limits = Limits { max_bytes: 1 << 20, max_depth: 9 };
    let long = parse_yaml(&Source::new("f", "x".repeat((1 << 20) + 1)), limits).unwrap_err();
    assert_eq!(long.to_string(), "f: longer than 1 MiB; split the file");
}

#[test]
fn one_document_or_several() {
    let one = |text: &str| parse_one(&Source::new("f", text), Limits::WRITTEN);
    for text in ["", "\n", "# nothing\n", "---\n", "---\n...\n", "\u{feff}"] {
        assert!(one(text).expect(text).is_null(), "{text:?}");
    }
    for text in ["a: b\n", "---\na: b\n", "a: b\n---\n", "%YAML 1.2\n---\na: b\n...\n"] {
        assert_eq!(one(text).expect(text).str("a"), Some("b"), "{text:?}");
    }
    assert!(error("a: b\n---\nc: d\n").starts_with("f:3:1: a second YAML document"));
    let all = |text: &str| parse_all(&Source::new("f", text), Limits::EXPORTED);
    assert_eq!(all("a: b\n---\nc: d\n").unwrap().len(), 2);
    assert_eq!(all(" {\"a\": 1.0}").unwrap()[0].get("a").unwrap().text(), None);
    assert_eq!(all("{a: b}\n---\n{c: d}").unwrap().len(), 2);
    assert!(all("{\"a\": }}").unwrap_err().message.contains("JSON"));
    assert!(all("a: {{ .Values.x }}\nb: [").is_err());
    assert_eq!(all("a: {{ .Values.x }}\nb: c").unwrap()[0].str("b"), Some("c"));
}

#[test]
fn an_error_of_syntax_has_a_place() {
    for (text, place) in [
        ("a: [\n", "1:4"),
        ("a: b: c", "1:5"),
        ("a: \"x\n", "1:4"),
        ("a:\n\t- b\n", "2:2"),
        ("a: *b", "1:4"),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("f:{place}: ")), "{text:?}: {error}");
    }
}

/// A scalar written in one of the styles, for a place in a flow list.
fn written() -> impl Strategy<Value = String> {
    let text = proptest::string::string_regex("[a-zü🚀 0-9'\"\\\\.:,#-]{0,12}").expect("a regex");
    (text, 0..3usize).prop_map(|(text, style)| match style {
        0 => serde_json::to_string(&text).expect("text"),
        1 => format!("'{}'", text.replace('\'', "''")),
        _ => {
            let plain = |c: &char| c.is_alphanumeric() || ".-".contains(*c);
            format!("p{}", text.chars().filter(plain).collect::<String>())
        }
    })
}

proptest! {
    #[test]
    fn every_scalar_is_found_where_it_is_written(
        items in proptest::collection::vec(written(), 1..8),
        shape in 0..4usize,
        ends in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let text = match shape {
            0 => format!("[{}]", items.join(" , ")),
            1 => items.iter().map(|item| format!("- {item} # ü{ends}")).collect(),
            2 => items.iter().enumerate().map(|(n, item)| format!("ü{n}: {item}{ends}")).collect(),
            _ => format!("\u{feff}ü: {{ a: [ {} ] }}{ends}", items.join(",\n   ")),
        };
        let found = scalars(&text);
        prop_assert_eq!(found.len(), items.len());
        for ((value, written), item) in found.iter().zip(&items) {
            prop_assert_eq!(written, item);
            let alone = scalars(written);
            prop_assert_eq!(&alone[0].0, value);
        }
    }

    #[test]
    fn every_line_of_a_block_leads_back_to_its_bytes(
        lines in proptest::collection::vec("[a-zü:#'\" ]{0,9}", 1..6),
        folded in any::<bool>(),
        indent in 1..4usize,
    ) {
        let space = " ".repeat(2 + indent);
        let body: String = lines.iter().map(|line| format!("{space}x{line}\n")).collect();
        let head = if folded { ">" } else { "|" };
        let text = format!("é:\n- k: {head}\n{body}  l: 1\n");
        let nodes = read(&text);
        let items = nodes[0].list("é");
        let scalar = items[0].get("k").and_then(Node::text).expect("a block");
        for (at, c) in scalar.text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let range = scalar.range_in_document(&text, at..at + c.len_utf8()).expect("a way back");
            prop_assert_eq!(text.get(range).map(str::to_owned), Some(c.to_string()));
        }
    }

    #[test]
    fn no_text_does_harm(text in "[\\[\\]{}:,\\-\\n&*|>'\"#? a<\\t%!~é]{0,60}") {
        let source = Source::new("f", text);
        for parsed in [parse_all(&source, Limits::WRITTEN), parse_yaml(&source, Limits::WRITTEN)] {
            match parsed {
                Ok(nodes) => for node in nodes {
                    node.scalars(&mut |it| assert!(source.text().get(it.span.range()).is_some()));
                    let mut reader = Reader::new(&source, "h");
                    drop(reader.map(node, "a map", |fields| Some(fields.pairs("a"))));
                    drop(reader.finish().to_text());
                },
                Err(error) => prop_assert!(!error.to_text().is_empty()),
            }
        }
    }
}

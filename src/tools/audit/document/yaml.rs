//! YAML documents, with places: read from parser events, which have the span of each scalar.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::scalar::Style;
use super::{MAX_DEPTH, Node, Text};

/// Most nodes that aliases may repeat: a few lines of YAML can name more than there is memory.
const MAX_ALIASED: usize = 100_000;

/// Reads all documents.
///
/// # Errors
///
/// Line and reason.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("not readable as YAML: {error}"))?;
        let line = span.start.line();
        reader.event(event, &span, text).map_err(|reason| format!("line {line}: {reason}"))?;
    }
    Ok(reader.documents)
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    /// Collections that are open, with their anchors; in a mapping a key waits for its value.
    open: Vec<(Node, usize, Option<String>)>,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

impl Reader {
    fn event(&mut self, event: Event<'_>, span: &Span, text: &str) -> Result<(), &'static str> {
        match event {
            Event::Scalar(value, style, anchor, _) => {
                let node = scalar(&value, style, span, text)?;
                self.add(node, anchor);
            }
            Event::SequenceStart(_, anchor, _) => self.start(Node::List(Vec::new()), anchor)?,
            Event::MappingStart(_, anchor, _) => self.start(Node::Map(Vec::new()), anchor)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((node, anchor, _)) = self.open.pop() {
                    self.add(node, anchor);
                }
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or("an alias to nothing")?;
                self.aliased += size(&node);
                if self.aliased > MAX_ALIASED {
                    return Err("aliases repeat too much");
                }
                self.add(node, 0);
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), &'static str> {
        if self.open.len() > MAX_DEPTH {
            return Err("it nests too deeply");
        }
        self.open.push((node, anchor, None));
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some((Node::List(items), _, _)) => items.push(node),
            Some((Node::Map(entries), _, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    // A key that is no text has no name that we would look for.
                    *key = Some(node.text().map_or_else(String::new, |text| text.value.clone()));
                }
            },
            Some(_) => {}
        }
    }
}

fn size(node: &Node) -> usize {
    1 + match node {
        Node::Text(_) | Node::Other(_) => 0,
        Node::List(items) => items.iter().map(size).sum(),
        Node::Map(entries) => entries.iter().map(|(_, item)| size(item)).sum(),
    }
}

fn scalar(value: &str, style: ScalarStyle, span: &Span, text: &str) -> Result<Node, &'static str> {
    let at = span.byte_range().filter(|at| text.get(at.clone()).is_some());
    let at = at.ok_or("a text without a place")?;
    let style = match style {
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        ScalarStyle::Plain => Style::Plain,
    };
    Ok(Node::Text(Text { value: value.to_owned(), at, style }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_aliases_and_places() {
        let text =
            "# ü\na: &x [\"p\\\"q\", 'it''s', plain words]\nb: *x\n---\nc: |\n  one\n    two\n";
        let documents = parse(text).expect("YAML");
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].get("a"), documents[0].get("b"));
        let texts = |node: &Node| {
            let mut all = Vec::new();
            node.texts(&mut |text| all.push(text.to_owned()));
            all
        };
        assert_eq!(texts(&documents[0])[..3], ["p\"q", "it's", "plain words"]);
        let c = documents[1].get("c").and_then(Node::text).expect("a text");
        assert_eq!(c.value, "one\n  two\n");
        assert!(text.get(c.at.clone()).is_some_and(|raw| raw.starts_with("one")));
    }

    #[test]
    fn what_is_not_yaml_or_too_much() {
        assert!(parse("a: {{ .Values.x }}\nb: [").is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let refs = vec![format!("*a{before}"); 10].join(",");
            bomb +=
                &["a", &level.to_string(), ": &a", &level.to_string(), " [", &refs, "]\n"].concat();
        }
        assert!(parse(&bomb).expect_err("a bomb").contains("too much"));
        assert!(parse(&"[".repeat(10_000)).is_err());
    }
}

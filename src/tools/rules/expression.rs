//! `PromQL` that is built, not parsed.

use std::fmt::Write as _;

/// The widest line of an expression that is not broken, in characters.
const WIDTH: usize = 96;

/// An expression whose value is an instant vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// `name{matchers}`
    Selector { name: String, matchers: Vec<Matcher> },
    /// `label_replace(of, target, replacement, source, regex)`
    Replace { of: Box<Expr>, target: String, replacement: String, source: String, regex: String },
    /// `label_join(of, target, separator, sources…)`
    Join { of: Box<Expr>, target: String, separator: String, sources: Vec<String> },
    /// `op without (labels) (of)`
    Without { op: &'static str, labels: Vec<String>, of: Box<Expr> },
    /// `left op right`; the operator may have a list of labels.
    Binary { left: Box<Expr>, op: String, right: Box<Expr> },
    /// `of op number`, such as `/ 1000` or `> 0`.
    Scaled { of: Box<Expr>, by: String },
}

/// A matcher of a selector: `label op "value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) op: &'static str,
    pub(super) value: String,
}

impl Matcher {
    pub(super) fn new(label: &str, op: &'static str, value: impl Into<String>) -> Matcher {
        Matcher { label: label.to_owned(), op, value: value.into() }
    }

    fn text(&self) -> String {
        format!("{}{}{}", self.label, self.op, quoted(&self.value))
    }
}

impl Expr {
    pub(super) fn selector(name: impl Into<String>, matchers: Vec<Matcher>) -> Expr {
        Expr::Selector { name: name.into(), matchers }
    }

    /// With a label that gets a text.
    pub(super) fn with_label(self, label: &str, text: &str) -> Expr {
        self.replace(label, &literal(text), "", "")
    }

    pub(super) fn replace(
        self,
        target: &str,
        replacement: &str,
        source: &str,
        regex: impl Into<String>,
    ) -> Expr {
        Expr::Replace {
            of: Box::new(self),
            target: target.to_owned(),
            replacement: replacement.to_owned(),
            source: source.to_owned(),
            regex: regex.into(),
        }
    }

    pub(super) fn without(self, op: &'static str, labels: Vec<String>) -> Expr {
        Expr::Without { op, labels, of: Box::new(self) }
    }

    pub(super) fn binary(self, op: impl Into<String>, right: Expr) -> Expr {
        Expr::Binary { left: Box::new(self), op: op.into(), right: Box::new(right) }
    }

    /// The expression from a column on. Lines after the first are indented.
    pub(super) fn pretty(&self, indent: usize) -> String {
        let flat = self.flat();
        if indent + flat.chars().count() <= WIDTH {
            return flat;
        }
        let (inside, outside) = (" ".repeat(indent + 2), " ".repeat(indent));
        let block = |before: &str, of: &Expr, after: &str| {
            format!("{before}(\n{inside}{}{after}\n{outside})", of.pretty(indent + 2))
        };
        match self {
            Expr::Selector { .. } => flat,
            Expr::Replace { of, .. } => {
                block("label_replace", of, &format!(",\n{inside}{}", self.arguments()))
            }
            Expr::Join { of, .. } => {
                block("label_join", of, &format!(",\n{inside}{}", self.arguments()))
            }
            Expr::Without { op, labels, of } => {
                block(&format!("{op} without ({}) ", labels.join(", ")), of, "")
            }
            Expr::Binary { left, op, right } => {
                let left = left.operand(op, true, indent);
                format!("{left}\n{outside}{op}\n{outside}{}", right.operand(op, false, indent))
            }
            Expr::Scaled { of, by } => format!("{} {by}", of.operand(by, true, indent)),
        }
    }

    /// An operand in several lines, in parentheses if it is an operation itself. `a or b or c` needs
    /// none.
    fn operand(&self, op: &str, is_left: bool, indent: usize) -> String {
        if self.needs_parentheses(op, is_left) {
            let inside = self.pretty(indent + 2);
            let (before, after) = (" ".repeat(indent + 2), " ".repeat(indent));
            return format!("(\n{before}{inside}\n{after})");
        }
        self.pretty(indent)
    }

    fn needs_parentheses(&self, op: &str, is_left: bool) -> bool {
        match self {
            Expr::Binary { op: own, .. } => !(is_left && own == "or" && op == "or"),
            Expr::Scaled { .. } => !matches!(op, "or" | "unless"),
            _ => false,
        }
    }

    /// The expression in one line.
    pub(super) fn flat(&self) -> String {
        let operand = |of: &Expr, op: &str, is_left| {
            if of.needs_parentheses(op, is_left) { format!("({})", of.flat()) } else { of.flat() }
        };
        match self {
            Expr::Selector { name, matchers } if matchers.is_empty() => name.clone(),
            Expr::Selector { name, matchers } => {
                let matchers: Vec<String> = matchers.iter().map(Matcher::text).collect();
                format!("{name}{{{}}}", matchers.join(", "))
            }
            Expr::Replace { of, .. } => {
                format!("label_replace({}, {})", of.flat(), self.arguments())
            }
            Expr::Join { of, .. } => format!("label_join({}, {})", of.flat(), self.arguments()),
            Expr::Without { op, labels, of } => {
                format!("{op} without ({}) ({})", labels.join(", "), of.flat())
            }
            Expr::Binary { left, op, right } => {
                format!("{} {op} {}", operand(left, op, true), operand(right, op, false))
            }
            Expr::Scaled { of, by } => format!("{} {by}", operand(of, by, true)),
        }
    }

    /// The arguments of a function after the vector.
    fn arguments(&self) -> String {
        let texts: Vec<&str> = match self {
            Expr::Replace { target, replacement, source, regex, .. } => {
                vec![target, replacement, source, regex]
            }
            Expr::Join { target, separator, sources, .. } => {
                let sources = sources.iter().map(String::as_str);
                [target.as_str(), separator].into_iter().chain(sources).collect()
            }
            _ => Vec::new(),
        };
        let texts: Vec<String> = texts.into_iter().map(quoted).collect();
        texts.join(", ")
    }

    /// The one expression that selects what both do, if they differ only in the text of one label.
    pub(super) fn joined(&self, other: &Expr) -> Option<Expr> {
        let (mut left, mut right) = (self.clone(), other.clone());
        let (ours, theirs) = (left.only_matchers()?, right.only_matchers()?);
        let mut differing = (0..ours.len()).filter(|at| ours.get(*at) != theirs.get(*at));
        let at = differing.next()?;
        if differing.next().is_some() || ours.len() != theirs.len() {
            return None;
        }
        let (our, their) = (ours.get_mut(at)?, theirs.get_mut(at)?);
        let is_text = |op: &str| op == "=" || op == "=~";
        if our.label != their.label || !is_text(our.op) || their.op != "=" {
            return None;
        }
        let known = if our.op == "=" { regex_of(&our.value) } else { our.value.clone() };
        let value = format!("{known}|{}", regex_of(&their.value));
        *our = Matcher { label: our.label.clone(), op: "=~", value };
        *their = our.clone();
        (left == right).then_some(left)
    }

    /// The matchers, if the expression has one selector.
    fn only_matchers(&mut self) -> Option<&mut Vec<Matcher>> {
        match self {
            Expr::Selector { matchers, .. } => Some(matchers),
            Expr::Replace { of, .. }
            | Expr::Join { of, .. }
            | Expr::Without { of, .. }
            | Expr::Scaled { of, .. } => of.only_matchers(),
            Expr::Binary { .. } => None,
        }
    }
}

/// A regular expression that matches this text only.
pub(super) fn regex_of(text: &str) -> String {
    let mut regex = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            regex.push('\\');
        }
        regex.push(c);
    }
    regex
}

/// A replacement that is this text.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A string of `PromQL`.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => {
                write!(quoted, "\\u{:04x}", u32::from(c)).expect("writing to a String");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(value: &str) -> Expr {
        let matchers = vec![Matcher::new("cpu", "!=", ""), Matcher::new("mode", "=", value)];
        Expr::selector("a", matchers).replace("cpu", "$1", "cpu", "cpu(.+)")
    }

    #[test]
    fn expressions_in_one_line() {
        let a = || Expr::selector("a", Vec::new());
        for (expr, text) in [
            (
                mode("x\"\\"),
                r#"label_replace(a{cpu!="", mode="x\"\\"}, "cpu", "$1", "cpu", "cpu(.+)")"#,
            ),
            (a().without("sum", vec!["b".into(), "c".into()]), "sum without (b, c) (a)"),
            (a().binary("or", a()).binary("or", a()), "a or a or a"),
            (a().binary("or", a()).binary("unless", a()), "(a or a) unless a"),
            (a().binary("-", a().binary("or", a())), "a - (a or a)"),
            (a().with_label("x", "1$"), r#"label_replace(a, "x", "1$$", "", "")"#),
        ] {
            assert_eq!(expr.flat(), text);
            assert_eq!(expr.pretty(0), text);
        }
        let scaled = |of| Expr::Scaled { of: Box::new(of), by: "/ 1000".into() };
        assert_eq!(scaled(a()).binary("or", a()).flat(), "a / 1000 or a");
        assert_eq!(scaled(a().binary("or", a())).flat(), "(a or a) / 1000");
    }

    #[test]
    fn long_expressions_have_several_lines() {
        let long = |c: char| Expr::selector(c.to_string().repeat(60), Vec::new());
        let expr = long('a').without("sum", vec!["x".into()]).binary("or", long('b'));
        let (a, b) = ("a".repeat(60), "b".repeat(60));
        assert_eq!(expr.pretty(2), format!("sum without (x) ({a})\n  or\n  {b}"));
        let expr = expr.with_label("l", "v");
        let inside = format!("sum without (x) ({a})\n    or\n    {b}");
        assert_eq!(
            expr.pretty(2),
            format!("label_replace(\n    {inside},\n    \"l\", \"v\", \"\", \"\"\n  )")
        );
    }

    #[test]
    fn what_differs_in_one_text_is_joined() {
        let joined = mode("idle").joined(&mode("a.b")).expect("one text differs");
        let joined = joined.joined(&mode("c")).expect("one more");
        assert_eq!(
            joined.flat(),
            r#"label_replace(a{cpu!="", mode=~"idle|a\\.b|c"}, "cpu", "$1", "cpu", "cpu(.+)")"#
        );
        assert_eq!(mode("idle").joined(&mode("idle")), None);
        let other = mode("idle").with_label("x", "1");
        assert_eq!(mode("a").joined(&other), None);
    }
}

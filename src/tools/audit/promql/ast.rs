//! A query as a tree. Every part has its byte range in the query, so that it can be edited in
//! place.

use std::ops::Range;

/// An expression and its bytes in the query, including ranges and modifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Expr {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) node: Node,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) enum Node {
    /// A number or a string.
    Literal,
    Selector(Selector),
    Call {
        name: String,
        arguments: Vec<Expr>,
    },
    Aggregate(Aggregate),
    Binary(Box<Binary>),
    /// `(…)`, `-…`, or an expression followed by `[…:…]`, `offset` or `@`.
    Wrapped {
        inner: Box<Expr>,
        parenthesised: bool,
    },
}

/// `name{…}[…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Selector {
    /// The name, if there is one. Without quotes, if it is written in the braces.
    pub(in crate::tools::audit) name: Option<Range<usize>>,
    /// The part of the braces that is the name: `"name"` or `__name__="name"`.
    pub(in crate::tools::audit) name_matcher: Option<Range<usize>>,
    /// The braces and everything between them.
    pub(in crate::tools::audit) braces: Option<Range<usize>>,
    pub(in crate::tools::audit) matchers: Vec<Matcher>,
    pub(in crate::tools::audit) has_range: bool,
}

/// `label op "value"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Matcher {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) label: Range<usize>,
    pub(in crate::tools::audit) op: &'static str,
    /// The value, without quotes and escapes.
    pub(in crate::tools::audit) value: String,
}

/// `sum by (…) (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Aggregate {
    pub(in crate::tools::audit) op: String,
    pub(in crate::tools::audit) grouping: Option<Grouping>,
    pub(in crate::tools::audit) arguments: Vec<Expr>,
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Grouping {
    pub(in crate::tools::audit) without: bool,
    pub(in crate::tools::audit) labels: LabelList,
}

/// `(label, …)`, each label with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct LabelList {
    pub(in crate::tools::audit) at: Range<usize>,
    pub(in crate::tools::audit) labels: Vec<(String, Range<usize>)>,
}

/// `a op on (…) group_left (…) b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools::audit) struct Binary {
    pub(in crate::tools::audit) op: String,
    pub(in crate::tools::audit) left: Expr,
    pub(in crate::tools::audit) right: Expr,
    /// `on` (true) or `ignoring`.
    pub(in crate::tools::audit) matching: Option<(bool, LabelList)>,
    /// `group_left` (true) or `group_right`, and the labels after it.
    pub(in crate::tools::audit) group: Option<(bool, Option<LabelList>)>,
}

impl Aggregate {
    /// True for aggregations that return some of their input series, with all labels.
    pub(in crate::tools::audit) fn selects_series(&self) -> bool {
        self.is_sample() || ["topk", "bottomk"].contains(&self.op.as_str())
    }

    /// True for aggregations that return some series, whatever their values are.
    pub(in crate::tools::audit) fn is_sample(&self) -> bool {
        ["limitk", "limit_ratio"].contains(&self.op.as_str())
    }
}

/// True for functions that return series with their names.
pub(in crate::tools::audit) fn keeps_name(function: &str) -> bool {
    ["last_over_time", "first_over_time", "info"].contains(&function)
        || ["sort", "label_"].iter().any(|prefix| function.starts_with(prefix))
}

/// The precedence of a binary operator in lower case. A higher one binds tighter.
pub(in crate::tools::audit) fn precedence(op: &str) -> Option<u8> {
    Some(match op {
        "or" => 1,
        "and" | "unless" => 2,
        "==" | "!=" | "<" | ">" | "<=" | ">=" => 3,
        "+" | "-" => 4,
        "*" | "/" | "%" | "atan2" => 5,
        "^" => 6,
        _ => return None,
    })
}

impl Binary {
    /// True for operators whose result has no name.
    pub(in crate::tools::audit) fn is_arithmetic(&self) -> bool {
        precedence(&self.op).is_some_and(|precedence| precedence > 3)
    }
}

impl LabelList {
    pub(in crate::tools::audit) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|(its, _)| its == label)
    }
}

impl Expr {
    /// Visits the expression and its parts, in order.
    pub(in crate::tools::audit) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        match &self.node {
            Node::Literal | Node::Selector(_) => {}
            Node::Call { arguments, .. } => arguments.iter().for_each(|it| it.walk(visit)),
            Node::Aggregate(aggregate) => aggregate.arguments.iter().for_each(|it| it.walk(visit)),
            Node::Binary(binary) => {
                binary.left.walk(visit);
                binary.right.walk(visit);
            }
            Node::Wrapped { inner, .. } => inner.walk(visit),
        }
    }

    /// The expression that has a part, given by its bytes, as an operand or argument.
    pub(in crate::tools::audit) fn parent_of(&self, part: &Range<usize>) -> Option<&Expr> {
        let mut parent = None;
        self.walk(&mut |expr| {
            if expr.at != *part && expr.at.start <= part.start && part.end <= expr.at.end {
                // Parts are visited after what contains them.
                parent = Some(expr);
            }
        });
        parent
    }

    /// True if the series of its result may have a name.
    pub(in crate::tools::audit) fn has_name(&self) -> bool {
        match &self.node {
            Node::Literal => false,
            Node::Selector(_) => true,
            Node::Call { name, arguments } => {
                keeps_name(name) && arguments.iter().any(Expr::has_name)
            }
            Node::Aggregate(aggregate) => {
                aggregate.selects_series() && aggregate.arguments.iter().any(Expr::has_name)
            }
            Node::Binary(binary) => {
                !binary.is_arithmetic() && (binary.left.has_name() || binary.right.has_name())
            }
            Node::Wrapped { inner, .. } => inner.has_name(),
        }
    }

    /// True if its result is a scalar.
    pub(in crate::tools::audit) fn is_scalar(&self) -> bool {
        match &self.node {
            Node::Literal => true,
            Node::Call { name, .. } => ["scalar", "time", "pi"].contains(&name.as_str()),
            Node::Wrapped { inner, .. } => inner.is_scalar(),
            Node::Binary(binary) => binary.left.is_scalar() && binary.right.is_scalar(),
            Node::Selector(_) | Node::Aggregate(_) => false,
        }
    }

    /// True if a part is in a subquery: `(…)[1h:5m]`.
    pub(in crate::tools::audit) fn has_subquery_of(&self, part: &Range<usize>, text: &str) -> bool {
        let mut found = false;
        self.walk(&mut |expr| {
            if let Node::Wrapped { inner, parenthesised: false } = &expr.node {
                let after = text.get(inner.at.end..expr.at.end).unwrap_or_default();
                let contains = inner.at.start <= part.start && part.end <= inner.at.end;
                found |= contains && after.contains('[');
            }
        });
        found
    }

    /// All lists of labels: `by`, `without`, `on`, `ignoring`, `group_left`, `group_right`.
    pub(in crate::tools::audit) fn label_lists(&self) -> Vec<&LabelList> {
        let mut lists = Vec::new();
        self.walk(&mut |expr| match &expr.node {
            Node::Aggregate(aggregate) => {
                lists.extend(aggregate.grouping.as_ref().map(|grouping| &grouping.labels));
            }
            Node::Binary(binary) => {
                lists.extend(binary.matching.as_ref().map(|(_, labels)| labels));
                lists.extend(binary.group.as_ref().and_then(|(_, labels)| labels.as_ref()));
            }
            _ => {}
        });
        lists
    }
}

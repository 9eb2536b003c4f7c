//! The paths in a Rust file, as far as it takes to see who imports whom.

use std::collections::BTreeMap;

/// What a file names.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Paths that it uses, each from its first word: `super`, `crate`, `self`, or a name.
    pub(super) used: Vec<Vec<String>>,
    /// Names that its `use` items bring, and the paths of what they name.
    pub(super) names: BTreeMap<String, Vec<String>>,
}

/// Reads the paths of a file, without its tests.
pub(super) fn read(text: &str) -> Paths {
    let tokens = tokens(&without_tests(&without_comments(text)));
    let mut paths = Paths::default();
    let mut re_exported = BTreeMap::new();
    let mut at = 0;
    while at < tokens.len() {
        // `pub(in crate::a)` says who may see something, and imports nothing.
        if tokens[at] == "in" && at > 1 && tokens[at - 1] == "(" && tokens[at - 2] == "pub" {
            at += tokens[at..].iter().position(|it| it == ")").unwrap_or(1);
            continue;
        }
        if tokens[at] != "use" {
            at = path(&tokens, at, &mut paths, &re_exported);
            continue;
        }
        let is_public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
        let end = tokens[at..].iter().position(|it| it == ";").map_or(tokens.len(), |len| at + len);
        for (name, path) in tree(&tokens[at + 1..end], &[]) {
            if is_public {
                re_exported.insert(name.clone(), path.clone());
            } else {
                paths.used.push(path.clone());
            }
            paths.names.insert(name, path);
        }
        at = end;
    }
    paths
}

/// Reads a path outside `use`, and gives where it ends. Something re-exported and used is used.
fn path(
    tokens: &[String],
    mut at: usize,
    paths: &mut Paths,
    re_exported: &BTreeMap<String, Vec<String>>,
) -> usize {
    if !is_word(&tokens[at]) {
        return at + 1;
    }
    let mut path = vec![tokens[at].clone()];
    while tokens.get(at + 1).is_some_and(|it| it == "::")
        && tokens.get(at + 2).is_some_and(|it| is_word(it))
    {
        path.push(tokens[at + 2].clone());
        at += 2;
    }
    if let Some(target) = re_exported.get(&path[0]) {
        paths.used.push(target.clone());
    } else if path.len() > 1 {
        paths.used.push(path);
    }
    at + 1
}

/// The names that a tree of `use` brings, and the path of each.
fn tree(tokens: &[String], parents: &[String]) -> Vec<(String, Vec<String>)> {
    let mut path = parents.to_vec();
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "::" => {}
            "{" => {
                let inner = &tokens[at + 1..tokens.len() - 1];
                return branches(inner)
                    .into_iter()
                    .flat_map(|branch| tree(branch, &path))
                    .collect();
            }
            "*" => return vec![(format!("{} *", path.join("::")), path)],
            "as" => return vec![(tokens[at + 1].clone(), path)],
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
    }
    path.last().cloned().map(|name| (name, path)).into_iter().collect()
}

/// Splits at the commas that are in no braces.
fn branches(tokens: &[String]) -> Vec<&[String]> {
    let mut depth = 0;
    let parts = tokens.split(|token| {
        depth += i32::from(token == "{") - i32::from(token == "}");
        depth == 0 && token == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, and single characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if is_word(rest) {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(len);
        if !token.trim().is_empty() {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    tokens
}

/// Blanks out comments, and strings that fit on their line.
fn without_comments(text: &str) -> String {
    let line = |line: &str| {
        let parts: Vec<&str> = line.split('"').collect();
        let code: Vec<&str> = parts.iter().step_by(2).copied().collect();
        let code = if parts.len() % 2 == 1 { code.join("\"\"") } else { line.to_owned() };
        code.split("//").next().unwrap_or_default().to_owned() + "\n"
    };
    text.lines().map(line).collect()
}

/// The text up to its module of tests, which is the last thing in a file.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text.split_at(end).0.to_owned()
}

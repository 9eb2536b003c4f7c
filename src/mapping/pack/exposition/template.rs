//! Texts of labels that contain variables: `label="text$x"`.

use std::fmt;

use crate::mapping::plan::label_text::split;

/// A text with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mapping) struct Template {
    /// The texts before, between and after the variables: one more than there are variables.
    pub(in crate::mapping) texts: Vec<String>,
    pub(in crate::mapping) variables: Vec<String>,
    /// A sample can lack the label.
    pub(in crate::mapping) optional: bool,
}

impl Template {
    /// A variable without text around it.
    pub(super) fn alone(name: &str) -> Template {
        let texts = vec![String::new(); 2];
        Template { texts, variables: vec![name.to_owned()], optional: false }
    }

    /// Parses a text between quotes: `$name` is a variable, and `$$` a dollar sign. `None` if there is
    /// nothing between two variables.
    pub(super) fn parse(text: &str) -> Option<Template> {
        let mut template = Template::default();
        let mut its = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            its.push_str(before);
            let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = after.find(|c| !is_letter(c)).unwrap_or(after.len());
            let (variable, more) = after.split_at(end);
            if variable.is_empty() {
                its.push('$');
                rest = after.strip_prefix('$').unwrap_or(after);
            } else if its.is_empty() && !template.variables.is_empty() {
                return None;
            } else {
                template.texts.push(std::mem::take(&mut its));
                template.variables.push(variable.to_owned());
                rest = more;
            }
        }
        its.push_str(rest);
        template.texts.push(its);
        Some(template)
    }

    /// The variable, if it is alone: without text around it.
    pub(in crate::mapping) fn only_variable(&self) -> Option<&str> {
        match &self.variables[..] {
            [variable] if self.texts.iter().all(String::is_empty) => Some(variable),
            _ => None,
        }
    }

    pub(in crate::mapping) fn has(&self, variable: &str) -> bool {
        self.variables.iter().any(|its| its == variable)
    }

    pub(super) fn before(&self) -> &str {
        self.texts.first().map_or("", String::as_str)
    }

    pub(super) fn after(&self) -> &str {
        self.texts.last().map_or("", String::as_str)
    }

    /// Whether a label with this text can have a value.
    pub(super) fn may_be(&self, value: &str) -> bool {
        (value.is_empty() && self.optional) || split(&self.texts, value.as_bytes()).is_some()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(variable) = self.only_variable() {
            return write!(f, "${variable}");
        }
        f.write_str("\"")?;
        let variables = self.variables.iter().map(Some).chain([None]);
        for (text, variable) in self.texts.iter().zip(variables) {
            f.write_str(&escaped(text))?;
            if let Some(variable) = variable {
                write!(f, "${variable}")?;
            }
        }
        f.write_str("\"")
    }
}

/// A text as it is written between quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_variables() {
        for (text, texts, variables) in [
            ("text", &["text"][..], &[][..]),
            ("", &[""], &[]),
            ("cpu$n", &["cpu", ""], &["n"]),
            ("$n@docker", &["", "@docker"], &["n"]),
            ("$n", &["", ""], &["n"]),
            ("$$$n_1.$$", &["$", ".$"], &["n_1"]),
            ("$n@$p", &["", "@", ""], &["n", "p"]),
            ("<$a-$b $$$c>", &["<", "-", " $", ">"], &["a", "b", "c"]),
        ] {
            let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
            let (texts, variables) = (owned(texts), owned(variables));
            let template = Template { texts, variables, optional: false };
            assert_eq!(Template::parse(text), Some(template), "{text}");
        }
        assert_eq!(Template::parse("$a$b"), None);
    }
}

//! What a pack says for people: the names of its generations, and where options are set.

use super::check::Check;
use super::keys::PerGeneration;
use crate::document::Scalar;
use crate::mapping::generation::Generation;

/// The line of `options` that is replaced.
const PLACEHOLDER: &str = "{options}";

/// The longest name of a generation, in characters. It has to fit into a line of a page.
const MAX_NAME_CHARS: usize = 40;

/// Names and texts that only people read.
#[derive(Clone, Debug, Default)]
pub(super) struct ForPeople {
    old: Option<String>,
    new: Option<String>,
    /// YAML with one line that is only the placeholder.
    options: Option<String>,
}

impl ForPeople {
    pub(super) fn from_keys(
        generations: PerGeneration<Option<Scalar>>,
        options: Option<Scalar>,
        check: &mut Check<'_>,
    ) -> ForPeople {
        let mut name = |name: Option<Scalar>| {
            let name = name?;
            let legal = !name.text.trim().is_empty() && !name.text.contains(char::is_control);
            if !legal || name.text.chars().count() > MAX_NAME_CHARS {
                let remedy = format!("use one line of 1 to {MAX_NAME_CHARS} characters");
                check.error(name.span, "this cannot be the name of a generation", remedy);
            }
            Some(name.text)
        };
        let (old, new) = (name(generations.old), name(generations.new));
        let options = options.map(|options| {
            if options.text.lines().filter(|line| line.trim() == PLACEHOLDER).count() != 1 {
                let message = format!("`options` needs one line that is `{PLACEHOLDER}`");
                let remedy = "write the YAML in which the source has its options, as a block: `|`";
                check.error(options.span, message, remedy);
            }
            options.text
        });
        ForPeople { old, new, options }
    }

    pub(super) fn generation_name(&self, generation: Generation) -> Option<&str> {
        match generation {
            Generation::Old => self.old.as_deref(),
            Generation::New => self.new.as_deref(),
        }
    }

    pub(super) fn options_yaml(&self, options: &[&str]) -> String {
        let mut yaml = String::new();
        for line in self.options.as_deref().unwrap_or(PLACEHOLDER).lines() {
            let (indent, text) = line.split_at(line.len() - line.trim_start().len());
            let lines = if text.trim_end() == PLACEHOLDER { options } else { &[text] };
            for line in lines {
                yaml.extend([indent, *line, "\n"]);
            }
        }
        yaml
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Pack;

    fn pack(more: &str) -> Pack {
        let text = format!("name: shop\n{more}prometheus: [{{ old: a, new: b }}]\n");
        Pack::parse("shop.yaml", &text).expect("a valid pack")
    }

    #[test]
    fn generations_have_names() {
        let named = pack("generations: { old: Shop 1.x, new: Shop 2.x }\n");
        assert_eq!(named.generation_name(Generation::Old), "Shop 1.x");
        assert_eq!(named.generation_name(Generation::New), "Shop 2.x");
        let half = pack("generations: { new: Shop 2.x }\n");
        assert_eq!(half.generation_name(Generation::Old), "shop old");
    }

    #[test]
    fn options_are_written_where_the_source_has_them() {
        let options = ["requests: true", "latency: true"];
        let nested = pack("options: |\n  metrics:\n    {options}\n  # end\n");
        let expected = "metrics:\n  requests: true\n  latency: true\n# end\n";
        assert_eq!(nested.options_yaml(&options), expected);
        assert_eq!(pack("").options_yaml(&options), "requests: true\nlatency: true\n");
    }

    #[test]
    fn errors_say_what_to_write() {
        let of = |line: &str| {
            let text = format!("name: shop\n{line}\nprometheus: [{{ old: a, new: b }}]\n");
            Pack::parse("shop.yaml", &text).expect_err(line).to_string()
        };
        assert!(of("options: x").contains("`options` needs one line that is `{options}`"));
        let long = format!("generations: {{ old: {} }}", "x".repeat(41));
        for line in ["generations: { old: ' ' }", "generations: { old: \"a\\nb\" }", &long] {
            assert!(of(line).contains("cannot be the name of a generation"), "{line}");
        }
    }
}

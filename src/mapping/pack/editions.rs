//! The editions that a pack declares, and the bucket layouts of each.

use super::check::Check;
use super::keys::{EditionLayoutKeys, LayoutKeys, PerGeneration};
use crate::document::{Scalar, Span, closest, listed};
use crate::mapping::boundary::Boundary;
use crate::mapping::edition::EditionName;
use crate::mapping::generation::Generation;
use crate::mapping::layouts::Layouts;

impl Check<'_> {
    /// Checks the editions of a pack, for the checks that follow. Returns where each is declared.
    pub(in crate::mapping) fn editions(
        &mut self,
        keys: Option<PerGeneration<Vec<Scalar>>>,
    ) -> Vec<(EditionName, Span)> {
        let mut spans = Vec::new();
        let Some(PerGeneration { old, new }) = keys else { return spans };
        for (generation, names) in [(Generation::Old, old), (Generation::New, new)] {
            for name in names {
                let Some(edition) = self.edition(&name) else { continue };
                if self.editions.find(edition).is_some() {
                    let message = format!("the edition `{edition}` is listed twice");
                    self.error(name.span, message, "remove one of them");
                    continue;
                }
                match generation {
                    Generation::Old => self.editions.old.push(edition),
                    Generation::New => self.editions.new.push(edition),
                }
                spans.push((edition, name.span));
            }
        }
        spans
    }

    fn edition(&mut self, name: &Scalar) -> Option<EditionName> {
        if ["old", "new", "both"].contains(&name.text.as_str()) {
            let message = format!("`{}` cannot be the name of an edition", name.text);
            let help = "`emit` has the values `old`, `new` and `both` already: write a version";
            self.error(name.span, message, help);
            return None;
        }
        let edition = name.text.parse();
        if let Err(help) = edition {
            let message = format!("`{}` cannot be the name of an edition", name.text);
            self.error(name.span, message, help);
        }
        edition.ok()
    }

    /// The layouts of one generation. What is wrong is reported and left out.
    pub(in crate::mapping) fn layouts(
        &mut self,
        generation: Generation,
        keys: LayoutKeys,
    ) -> Layouts {
        match keys {
            LayoutKeys::All(list) => Layouts::single(self.boundaries(list)),
            LayoutKeys::PerEdition(span, layouts) => {
                let declared = self.editions.of(generation).to_vec();
                let mut by_edition: Vec<Option<Vec<Boundary>>> = vec![None; declared.len()];
                for EditionLayoutKeys { name, list } in layouts {
                    let boundaries = self.boundaries(list);
                    match declared.iter().position(|its| its.as_str() == name.text) {
                        Some(index) => by_edition[index] = Some(boundaries),
                        None => self.unknown_edition(generation, &name, &declared),
                    }
                }
                for (edition, layout) in declared.iter().zip(&by_edition) {
                    if layout.is_none() {
                        let message = format!("the layout of the edition `{edition}` is missing");
                        let help =
                            format!("add `\"{edition}\": […]`, or one list for all editions");
                        self.error(span, message, help);
                    }
                }
                let complete = by_edition.into_iter().collect::<Option<Vec<_>>>();
                let layouts = complete.and_then(Layouts::by_edition);
                // After an error, any layout will do for the checks that follow.
                layouts.unwrap_or_else(|| Layouts::single(Vec::new()))
            }
        }
    }

    fn unknown_edition(&mut self, generation: Generation, name: &Scalar, known: &[EditionName]) {
        let known: Vec<&str> = known.iter().map(EditionName::as_str).collect();
        let word = generation.as_str();
        let help = match (closest(&name.text, known.iter().copied()), known.as_slice()) {
            (Some(close), _) => format!("did you mean `{close}`?"),
            (None, []) => format!("list it under `editions: {{ {word}: […] }}`"),
            (None, known) => format!("the editions are {}", listed(known)),
        };
        let message = format!("the pack declares no edition `{}` of {word}", name.text);
        self.error(name.span, message, help);
    }

    fn boundaries(&mut self, list: Vec<Scalar>) -> Vec<Boundary> {
        let mut boundaries: Vec<Boundary> = Vec::with_capacity(list.len());
        for Scalar { span, text, .. } in list {
            let Some(bound) = text.parse().ok().filter(|bound: &f64| bound.is_finite()) else {
                self.error(
                    span,
                    format!("`{text}` is not a bucket boundary"),
                    "write a number; leave `+Inf` out, it is implied",
                );
                continue;
            };
            if let Some(before) = boundaries.last().filter(|before| before.bound >= bound) {
                let message = if before.bound.total_cmp(&bound).is_eq() {
                    format!("the boundary {text} occurs twice")
                } else {
                    format!("the boundary {text} is after {}", before.text)
                };
                self.error(span, message, "list boundaries in ascending order, each once");
                continue;
            }
            boundaries.push(Boundary { bound, text: text.into() });
        }
        boundaries
    }
}

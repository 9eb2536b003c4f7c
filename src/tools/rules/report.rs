//! What was written, family by family.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::document::plural;
use crate::tools::wrap::{Indent, WIDTH, wrap};

/// What rules do for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// They write what the gateway writes.
    Exact,
    /// They write a part of it, or other values.
    Partly,
    /// They write nothing.
    Not,
}

/// One family that the gateway writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyReport {
    /// The pack that has the family.
    pub pack: String,
    /// The family.
    pub family: String,
    /// The families that it is made of.
    pub reads: Vec<String>,
    /// What is written.
    pub status: Status,
    /// The number of rules for it.
    pub rules: usize,
    /// What is not written, or not as the gateway does.
    pub reasons: Vec<String>,
}

/// The text of the rules, and the report.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The YAML.
    #[serde(skip)]
    pub text: String,
    /// Each family that the gateway writes.
    pub families: Vec<FamilyReport>,
    /// What rules cannot do at all.
    pub notes: Vec<String>,
}

impl Outcome {
    /// The number of rules.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.families.iter().map(|family| family.rules).sum()
    }

    /// The report as a text for people.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "writing to a String does not fail")]
    pub fn report(&self) -> String {
        let mut text = String::new();
        self.write_report(&mut text).expect("writing to a String does not fail");
        text
    }

    fn write_report(&self, to: &mut String) -> fmt::Result {
        let of = |status| self.families.iter().filter(move |it| it.status == status);
        let (exact, partly, not) =
            (of(Status::Exact).count(), of(Status::Partly).count(), of(Status::Not).count());
        let rules = self.rules();
        writeln!(
            to,
            "{rules} {} for {exact} {} as the gateway writes {}, {partly} partly; {not} not possible",
            plural(rules as u64, "rule"),
            if exact == 1 { "family" } else { "families" },
            if exact == 1 { "it" } else { "them" },
        )?;
        for (title, status) in [("partly", Status::Partly), ("not possible", Status::Not)] {
            let mut groups: Vec<(&[String], Vec<&str>)> = Vec::new();
            for family in of(status) {
                match groups.iter_mut().find(|(reasons, _)| *reasons == family.reasons) {
                    Some((_, names)) => names.push(&family.family),
                    None => groups.push((&family.reasons, vec![&family.family])),
                }
            }
            for (reasons, names) in groups {
                let text = format!("{title}: {}: {}.", names.join(", "), reasons.join("; "));
                wrap(&text, WIDTH, Indent { first: "", next: "  " }, to)?;
            }
        }
        for note in &self.notes {
            wrap(note, WIDTH, Indent { first: "", next: "  " }, to)?;
        }
        Ok(())
    }
}

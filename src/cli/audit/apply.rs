//! What becomes of migrated inputs that are not files: dashboards are saved in Grafana, rules are
//! printed.

use std::io::{IsTerminal as _, Write as _, stdin, stdout};

use anyhow::{Context as _, bail};

use super::arguments::Arguments;
use super::diff::unified;
use crate::apis::{Dashboard, Grafana};
use crate::cli::sources::{Input, Origin};
use crate::document::plural;

/// What Grafana's list of versions shows.
const MESSAGE: &str = "crossfade audit: queries migrated";

/// The same for a version that is saved over a migrated one.
const UNDONE: &str = "crossfade audit: undone, because another dashboard could not be saved";

/// A migrated input that is not a file.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) input: Input,
    /// Its migrated text.
    pub(super) text: String,
}

/// A dashboard and its migrated text.
type Migrated<'a> = (&'a Dashboard, &'a str);

/// Refuses `--apply` where it could not ask.
///
/// # Errors
///
/// There is no terminal, and no `--yes`.
pub(super) fn check(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.save.apply && !arguments.save.yes && !stdin().is_terminal() {
        bail!(
            "--apply asks before it saves, and there is no terminal; add --yes to save without asking"
        );
    }
    Ok(())
}

/// Prints migrated rules. Prometheus has no API that writes them.
///
/// # Errors
///
/// Stdout cannot be written to.
pub(super) fn print_rules(changes: &[Change]) -> anyhow::Result<()> {
    let mut is_first = true;
    for Change { input, text } in changes {
        let Origin::RuleGroup(group, _) = &input.origin else { continue };
        let mut to = stdout().lock();
        if is_first {
            writeln!(
                to,
                "\nPrometheus has no API that writes rules; put these into its rule files, or write them to \
                 files with --output=DIR:"
            )?;
            is_first = false;
        }
        writeln!(to, "\n# group {}, from {}\n{text}", group.name, group.file)?;
    }
    Ok(())
}

/// Shows the changes of dashboards, asks, and saves them: all, or none.
///
/// Returns whether all migrated dashboards are saved.
///
/// # Errors
///
/// Grafana refuses a dashboard. Then those that were saved before it have their earlier text again,
/// except those that the error names.
pub(super) fn save(
    arguments: &Arguments,
    grafana: &Grafana,
    changes: &[Change],
) -> anyhow::Result<bool> {
    let migrated = changes.iter().filter_map(|change| match &change.input.origin {
        Origin::Dashboard(dashboard) => Some((&**dashboard, change.text.as_str())),
        Origin::File | Origin::RuleGroup(..) => None,
    });
    let (refused, migrated): (Vec<Migrated<'_>>, Vec<Migrated<'_>>) =
        migrated.partition(|(dashboard, _)| reason(dashboard).is_some());
    let mut to = stdout().lock();
    for (dashboard, text) in &migrated {
        write!(to, "\n{}", unified(&dashboard.name(), &dashboard.text, text))?;
    }
    if !refused.is_empty() {
        writeln!(to)?;
    }
    for (dashboard, _) in &refused {
        writeln!(to, "not saved: {}: {}", dashboard.name(), reason(dashboard).unwrap_or_default())?;
    }
    if migrated.is_empty() {
        writeln!(to, "\nno dashboard to save")?;
        return Ok(refused.is_empty());
    }
    let dashboards = format!("{} {}", migrated.len(), plural(migrated.len() as u64, "dashboard"));
    let question = format!("save {dashboards} in {}?", grafana.url());
    if !arguments.save.yes && !is_confirmed(&question, &mut to)? {
        writeln!(to, "nothing saved")?;
        return Ok(false);
    }
    let versions = save_all(grafana, &migrated)?;
    writeln!(to)?;
    for ((dashboard, _), version) in migrated.iter().zip(versions) {
        writeln!(to, "saved: {}, version {version}", dashboard.name())?;
    }
    writeln!(to, "Grafana keeps the earlier versions: Settings > Versions of each dashboard")?;
    Ok(refused.is_empty())
}

/// Why a dashboard cannot be saved.
fn reason(dashboard: &Dashboard) -> Option<String> {
    match (&dashboard.provisioned, dashboard.can_save) {
        (Some(file), _) if file.is_empty() => {
            Some("it is provisioned from a file; migrate that file".to_owned())
        }
        (Some(file), _) => Some(format!("it is provisioned from {file}; migrate that file")),
        (None, false) => Some(
            "the token may not change it; give its service account the permission to edit it"
                .to_owned(),
        ),
        (None, true) => None,
    }
}

fn is_confirmed(question: &str, to: &mut impl std::io::Write) -> anyhow::Result<bool> {
    write!(to, "\n{question} [y/N] ")?;
    to.flush().context("cannot write to stdout")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Saves all dashboards, and returns their new versions.
fn save_all(grafana: &Grafana, migrated: &[Migrated<'_>]) -> anyhow::Result<Vec<u64>> {
    let mut versions = Vec::new();
    for (dashboard, text) in migrated {
        match grafana.save(dashboard, text, MESSAGE) {
            Ok(version) => versions.push(version),
            Err(error) => {
                let changed = undo(grafana, &migrated[..versions.len()], &versions);
                let name = dashboard.name();
                if !error.is_refusal() {
                    bail!(
                        "cannot save {name}: {error}; it is not known whether it was saved: look at its \
                         versions in Grafana{}",
                        if changed.is_empty() {
                            "; no other dashboard is changed".to_owned()
                        } else {
                            format!("; these keep the migrated queries: {}", changed.join("; "))
                        }
                    );
                }
                if changed.is_empty() {
                    bail!("cannot save {name}: {error}; no dashboard is changed");
                }
                bail!(
                    "cannot save {name}: {error}; these were saved before it, and keep the migrated \
                     queries: {}",
                    changed.join("; ")
                );
            }
        }
    }
    Ok(versions)
}

/// Gives dashboards their earlier text again, and returns those that keep the new one, with the
/// reason.
fn undo(grafana: &Grafana, saved: &[Migrated<'_>], versions: &[u64]) -> Vec<String> {
    let undone = |(dashboard, _): &Migrated<'_>, version| {
        let text = dashboard.text_over(version).ok_or_else(|| "it has no version".to_owned())?;
        grafana.save(dashboard, &text, UNDONE).map_err(|error| error.to_string())
    };
    let failed = saved.iter().zip(versions).filter_map(|(one, version)| {
        let error = undone(one, *version).err()?;
        Some(format!("{}: {error}", one.0.name()))
    });
    failed.collect()
}

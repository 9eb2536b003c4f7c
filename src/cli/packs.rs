//! `crossfade packs`: the packs in the binary.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use clap::Args;

use super::diagnostic::counted;
use crate::document::{closest, listed};
use crate::mapping::{Generation, Pack};
use crate::packs::{SHIPPED, ShippedPack};

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade packs
  crossfade packs kong > ours.yaml")]
pub(super) struct Arguments {
    /// The pack to print, as YAML [default: list all packs].
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let text = match &arguments.name {
        Some(name) => named(name)?.text.to_owned(),
        None => list(),
    };
    io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")
}

fn named(name: &str) -> anyhow::Result<&'static ShippedPack> {
    let Some(pack) = ShippedPack::named(name) else {
        let names: Vec<&str> = SHIPPED.iter().map(|pack| pack.name).collect();
        match closest(name, names.iter().copied()) {
            Some(close) => bail!("there is no shipped pack `{name}`; did you mean `{close}`?"),
            None => bail!("there is no shipped pack `{name}`; there are {}", listed(&names)),
        }
    };
    Ok(pack)
}

/// One paragraph for each pack.
fn list() -> String {
    let mut text = String::new();
    for shipped in SHIPPED {
        let pack = shipped.parse();
        let default = if shipped.is_default() { " (default)" } else { "" };
        let mut facts = vec![counted(pack.rule_count(), "rule")];
        facts.extend(editions(&pack));
        let description = pack.description().unwrap_or_default();
        let facts = facts.join(", ");
        writeln!(text, "{}{default}\n    {description}\n    {facts}", shipped.name)
            .expect("writing to a String cannot fail");
    }
    text.push_str("\nUse a pack with --pack=NAME, or with `packs:` in the settings.\n");
    text
}

/// The editions of a pack. `None`: it has none.
fn editions(pack: &Pack) -> Option<String> {
    let of = |generation: Generation| {
        let names = pack.editions().of(generation).iter().map(ToString::to_string);
        let names: Vec<String> = names.collect();
        (!names.is_empty()).then(|| format!("{} {}", generation.as_str(), names.join(" ")))
    };
    let both: Vec<String> = [Generation::Old, Generation::New].into_iter().filter_map(of).collect();
    (!both.is_empty()).then(|| format!("editions: {}", both.join(", ")))
}

//! `crossfade man`: manual pages.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use clap_mangen::Man;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade man serve | man -l -
  crossfade man --output=/usr/local/share/man/man1")]
pub(super) struct Arguments {
    /// The command whose page is printed, such as `check config` [default: the page of crossfade
    /// itself].
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    command: Vec<String>,
    /// Write the pages of all commands to this folder instead, which must exist.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Prints one page, or writes all of them. `command` is the whole command line.
pub(super) fn run(arguments: &Arguments, mut command: clap::Command) -> anyhow::Result<()> {
    command.build();
    if let Some(folder) = &arguments.output {
        return write_all(&command, folder);
    }
    let mut found = &command;
    for name in &arguments.command {
        let subcommand = found.get_subcommands().find(|its| its.get_name() == name);
        let Some(subcommand) = subcommand else {
            let name = arguments.command.join(" ");
            bail!("there is no command `{name}`; `crossfade help` lists the commands");
        };
        found = subcommand;
    }
    let page = page(found)?;
    io::stdout().write_all(&page).context("cannot write to stdout")
}

/// Writes the page of a command, and those of its commands.
fn write_all(command: &clap::Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.1", file_name(command)));
    let written = std::fs::write(&path, page(command)?);
    written.with_context(|| format!("cannot write {}", path.display()))?;
    let mut visible = command.get_subcommands().filter(|its| its.get_name() != "help");
    visible.try_for_each(|its| write_all(its, folder))
}

/// `crossfade-serve` for `crossfade serve`.
fn file_name(command: &clap::Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}

fn page(command: &clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    let title = file_name(command);
    // The pages of one version are the same in every build: no commit.
    let version = env!("CARGO_PKG_VERSION");
    let command = command.clone().version(version).long_version(version);
    Man::new(command).title(title).render(&mut page).context("cannot write the page")?;
    Ok(page)
}

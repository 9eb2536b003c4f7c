//! `crossfade completions`: completion of the command line in shells.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade completions bash > /etc/bash_completion.d/crossfade
  crossfade completions zsh > \"${fpath[1]}/_crossfade\"
  crossfade completions fish > ~/.config/fish/completions/crossfade.fish")]
pub(super) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for a shell. `command` is the whole command line.
pub(super) fn run(arguments: &Arguments, mut command: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "crossfade", &mut script);
    io::stdout().write_all(&script).context("cannot write to stdout")
}

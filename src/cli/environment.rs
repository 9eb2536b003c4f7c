//! Environment variables for the flags of `serve`.
//!
//! The name of a variable is that of the flag: `CROSSFADE_WEB_LISTEN_ADDRESS` for
//! `--web.listen-address`. Variables that belong to no flag are ignored: Kubernetes sets some for a
//! Service that is called `crossfade`.

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

/// The command whose flags have variables.
const SERVE: &str = "serve";

/// The command line, with the variables of this process. An empty variable counts as unset: Compose files
/// and charts pass `${NAME:-}`.
pub(super) fn with_variables(command: Command) -> Command {
    let with_variable = |flag: Arg| {
        let Some(name) = variable(&flag) else { return flag };
        if std::env::var_os(&name).is_none_or(|value| value.is_empty()) {
            return flag;
        }
        // Neither names nor values in `--help`: values may be secrets.
        let flag = flag.env(name).hide_env(true);
        match flag.get_action() {
            ArgAction::Append => flag.value_delimiter(' '),
            ArgAction::SetTrue => flag.value_parser(BoolishValueParser::new()),
            _ => flag,
        }
    };
    command.mut_subcommand(SERVE, |serve| serve.mut_args(with_variable))
}

/// The variable of a flag.
fn variable(flag: &Arg) -> Option<String> {
    let long = flag.get_long().filter(|long| *long != "help")?;
    Some(format!("CROSSFADE_{}", long.replace(['.', '-'], "_").to_uppercase()))
}

/// An error about a value, with the variable that has it, if the command line does not.
pub(super) fn naming_variable(mut error: clap::Error, command: &Command) -> clap::Error {
    let Some(ContextValue::String(of_flag)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let named = |flag: &&Arg| {
        let long = flag.get_long().map(|long| format!("--{long}"));
        long.is_some_and(|long| of_flag.split([' ', '=']).next() == Some(&long))
    };
    let serve = command.find_subcommand(SERVE);
    let flag = serve.and_then(|serve| serve.get_arguments().find(named));
    let Some(name) = flag.filter(|flag| flag.get_env().is_some()).and_then(variable) else {
        return error;
    };
    let long = flag.and_then(Arg::get_long).unwrap_or_default();
    let is_given = std::env::args_os().any(|argument| {
        let argument = argument.to_str().and_then(|argument| argument.strip_prefix("--"));
        argument.is_some_and(|argument| argument.split('=').next() == Some(long))
    });
    if !is_given {
        let tip = format!("the value is that of the environment variable {name}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_called_like_their_flags() {
        let of = |long: &'static str| variable(&Arg::new("x").long(long));
        assert_eq!(of("emit").as_deref(), Some("CROSSFADE_EMIT"));
        assert_eq!(of("web.listen-address").as_deref(), Some("CROSSFADE_WEB_LISTEN_ADDRESS"));
        assert_eq!(of("help"), None);
        assert_eq!(variable(&Arg::new("positional")), None);
    }
}

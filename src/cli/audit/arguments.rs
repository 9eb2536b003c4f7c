//! The arguments of `audit`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::flags;
use crate::cli::sources::Servers;
use crate::cli::value_enums::Format;
use crate::mapping::Emit;
use crate::packs::PackRef;

#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  crossfade audit dashboards/ rules/
  crossfade audit dashboards/ rules/ --emit=old
  crossfade audit dashboards/ --rewrite --output=new/
  crossfade audit --grafana=http://grafana:3000 --http.config.file=token.yaml --rewrite --apply")]
pub(in crate::cli) struct Arguments {
    /// Grafana dashboards (JSON, schema version 16 or later), Prometheus rule files and Kubernetes
    /// manifests (YAML), or folders with such files.
    #[arg(required_unless_present_any = ["grafana", "prometheus"])]
    pub(super) paths: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) servers: Servers,

    /// A shipped pack by its name, or a pack on disk. May be repeated.
    ///
    /// Files alone are added to the pack kong; names replace it.
    #[arg(long = "pack", value_name = "NAME|FILE", value_parser = flags::pack(), hide_possible_values = true)]
    pub(super) packs: Vec<PackRef>,

    /// Set the exit code for queries through a gateway that emits this generation.
    ///
    /// Or this edition of it. Without this flag, the exit code is for queries without a gateway.
    #[arg(long, value_name = "old|new|both|EDITION", value_parser = flags::emitted(), hide_possible_values = true)]
    pub(super) emit: Option<Emit>,

    /// Migrate all queries that can be migrated, and give a reason for each of the others.
    #[arg(long)]
    pub(super) rewrite: bool,

    /// The generation to migrate queries to, or an edition of it.
    #[arg(long, value_name = "old|new|EDITION", value_parser = flags::emitted(), hide_possible_values = true, default_value_t = Emit::New)]
    pub(super) to: Emit,

    /// Also migrate quantiles over buckets whose boundaries differ between the generations.
    ///
    /// Their results differ; the table says by how much at most.
    #[arg(long, requires = "rewrite")]
    pub(super) allow_differs: bool,

    /// Write migrated files to this folder, with the same names.
    #[arg(long, value_name = "DIR", requires = "rewrite", conflicts_with = "in_place")]
    pub(super) output: Option<PathBuf>,

    /// Overwrite the audited files with the migrated ones.
    #[arg(long, requires = "rewrite")]
    pub(super) in_place: bool,

    #[command(flatten)]
    pub(super) save: Save,

    /// A family that your Kong does not export, so that migrated queries can leave it out. May be
    /// repeated.
    #[arg(long, value_name = "FAMILY")]
    pub(super) absent: Vec<String>,

    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
}

/// Whether migrated dashboards are saved.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Save {
    /// Save migrated dashboards in Grafana, after showing the changes and asking.
    #[arg(long, requires_all = ["rewrite", "grafana"])]
    pub(super) apply: bool,

    /// Do not ask before --apply saves.
    #[arg(long, requires = "apply")]
    pub(super) yes: bool,
}

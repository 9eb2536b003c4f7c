//! What follows from the answer: what to do, and what is not known.

use std::path::PathBuf;

use super::arguments::Arguments;
use crate::mapping::Generation;
use crate::tools::removal::{Answer, Removal, TargetNeed};

/// What the sources contained.
#[derive(Debug)]
pub(super) struct Seen {
    /// A gateway was asked.
    pub(super) gateways: bool,
    /// There was a dashboard: in a Grafana, or a JSON file.
    pub(super) dashboards: bool,
    /// There was a YAML file.
    pub(super) rule_files: bool,
}

/// Sources that an answer needs, and that were not given or were empty.
pub(super) fn missing_sources(arguments: &Arguments, seen: &Seen, removal: &mut Removal) {
    let (servers, has_log) = (&arguments.servers, arguments.query_log.is_some());
    let has_queries = removal.queries_seen > 0 || !removal.queries.is_empty();
    let mut needs = |is_given: bool, text: &str| {
        if !is_given {
            removal.not_known.push(text.to_owned());
        }
    };
    needs(
        seen.gateways,
        "what the targets speak: give the admin URL of each gateway, such as http://127.0.0.1:9543",
    );
    needs(
        seen.rule_files || has_log || servers.prometheus.is_some(),
        "what rules and alerts read: add --prometheus=URL, or the rule files",
    );
    let has_grafana = servers.grafana.is_some();
    needs(
        seen.dashboards || has_log || has_grafana,
        "what dashboards read: add --grafana=URL, the exported dashboards, or --query-log=FILE",
    );
    needs(
        seen.dashboards || !has_grafana,
        "what dashboards read: Grafana shows none to these credentials",
    );
    needs(has_queries, "which queries there are: none was found in what was given");
}

/// What to do next.
pub(super) fn next_steps(arguments: &Arguments, paths: &[PathBuf], removal: &mut Removal) {
    let (to, other) = (removal.to.as_str(), removal.to.other().as_str());
    let change = if removal.to == Generation::New { "upgrade" } else { "downgrade" };
    let has = |need| removal.count(need) > 0;
    let mut next = Vec::new();
    if has(TargetNeed::SpeaksOther) {
        next.push(format!("{change} the targets that speak {other}, or keep Crossfade for them"));
    }
    if has(TargetNeed::NotKnown) {
        next.push(
            "repair the targets that cannot be read, or take them out of the settings".to_owned(),
        );
    }
    let is_of_log = |source: &str| source == "query log";
    if removal.queries.iter().any(|query| !is_of_log(&query.source)) {
        next.push(format!("migrate the queries:\n{}", audit_command(arguments, paths, to)));
    }
    if removal.queries.iter().any(|query| is_of_log(&query.source)) {
        next.push(
            "find out who runs the queries of the query log: each of its lines has the address of the \
             client (`httpRequest.clientIP`); once they are migrated, use --since to leave out what \
             was run before"
                .to_owned(),
        );
    }
    if has(TargetNeed::EmitsOther) {
        next.push(format!(
            "when no query reads {other} names any more, set `emit: {to}` in the settings of Crossfade, \
             wait a day, and run this again"
        ));
    }
    if has(TargetNeed::Changed) {
        next.push(
            "look at the changed targets on the status page: it shows what Crossfade changes"
                .to_owned(),
        );
    }
    let is_served_other = has(TargetNeed::EmitsOther) || has(TargetNeed::SpeaksOther);
    if !removal.stored.is_empty() && !is_served_other {
        next.push(format!(
            "find out why Prometheus gets {other} names: a target that it scrapes without Crossfade, or \
             a gateway that is not among the URLs"
        ));
    }
    if removal.answer() == Answer::Yes {
        next.push(
            "let Prometheus scrape the targets themselves again, then stop Crossfade \
             (docs/removing.md)"
                .to_owned(),
        );
    }
    removal.next = next;
}

/// The command that migrates the queries of these sources.
fn audit_command(arguments: &Arguments, paths: &[PathBuf], to: &str) -> String {
    let mut words = vec!["crossfade audit".to_owned()];
    words.extend(paths.iter().map(|path| path.display().to_string()));
    let servers = &arguments.servers;
    words.extend(servers.grafana.iter().map(|url| format!("--grafana={}", url.0)));
    words.extend(servers.prometheus.iter().map(|url| format!("--prometheus={}", url.0)));
    words.push(format!("--rewrite --to={to}"));
    words.join(" ")
}

/// What no source can tell.
pub(super) fn not_seen(arguments: &Arguments, removal: &mut Removal) {
    let log = if arguments.query_log.is_some() {
        "queries that ran before the query log was turned on, or will run later: monthly reports for \
         example"
    } else {
        "queries by people and scripts, and dashboards and rules of other servers: only the query log of \
         Prometheus has them (`query_log_file`, then --query-log=FILE)"
    };
    removal.not_seen = vec![
        log.to_owned(),
        "readers of the stored data elsewhere: remote write and remote read, federation, Thanos and the \
         like, exports"
            .to_owned(),
    ];
}

//! Asks all sources what still needs the gateway.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::arguments::Arguments;
use super::next;
use crate::apis::{GatewayTarget, overview, sources_of, statsd_listeners};
use crate::cli::progress::Progress;
use crate::cli::sources::{Found, Origin, Servers, audit_all, find};
use crate::http_client::Timeouts;
use crate::mapping::{self, Correspondence, Emit, Emitted, Generation, Pack};
use crate::packs;
use crate::tools::audit::{Auditor, FileAudit, Finding, Impact};
use crate::tools::query_log::{self, LoggedQuery, QueryLog, Wanted};
use crate::tools::removal::{Removal, RemovalQuery, RemovalTarget, TargetNeed, names_only_in};

/// The source of queries of the log.
const QUERY_LOG: &str = "query log";

/// Asks everything that the arguments name.
///
/// # Errors
///
/// A pack, the file for requests, a URL or the query log cannot be used. Servers that do not answer
/// are part of the result.
pub(super) fn collect(arguments: &Arguments) -> anyhow::Result<Removal> {
    let packs = packs::load(&arguments.packs)?;
    mapping::two_generations(&packs)?;
    let to = Generation::from(arguments.to);
    let (urls, paths): (Vec<&String>, Vec<&String>) =
        arguments.inputs.iter().partition(|input| input.contains("://"));
    let mut removal = Removal {
        to,
        targets: Vec::new(),
        stored: Vec::new(),
        queries_seen: 0,
        queries: Vec::new(),
        not_known: Vec::new(),
        next: Vec::new(),
        not_seen: Vec::new(),
    };
    for url in &urls {
        gateway(arguments, url, &packs, &mut removal)?;
    }
    stored(&arguments.servers, &packs, &mut removal)?;
    let auditor = Auditor::new(&packs, Emit::Old, to, Vec::new())
        .map_err(|error| anyhow::anyhow!("--pack: {error}"))?;
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let Found { inputs, errors, .. } = find(&paths, &arguments.servers)?;
    let has_rules = arguments.servers.prometheus.is_some() && errors.is_empty();
    removal.not_known.extend(errors);
    let (auditor, audited) = audit_all(auditor, &inputs);
    removal.not_known.extend(audited.errors);
    for (file, input) in audited.files.iter().zip(&audited.inputs) {
        let is_remote = !matches!(input.origin, Origin::File);
        file_queries(file, is_remote, &mut removal);
    }
    if let Some(path) = &arguments.query_log {
        logged_queries(arguments, path, &auditor, has_rules, &mut removal)?;
    }
    let seen = next::Seen {
        gateways: !urls.is_empty(),
        dashboards: audited.inputs.iter().any(|input| match &input.origin {
            Origin::Dashboard(_) => true,
            Origin::File => input.path.extension().is_some_and(|it| it == "json"),
            Origin::RuleGroup(..) => false,
        }),
        rule_files: audited.inputs.iter().any(|input| {
            let is_yaml = input.path.extension().is_some_and(|it| it == "yaml" || it == "yml");
            matches!(input.origin, Origin::File) && is_yaml
        }),
    };
    next::missing_sources(arguments, &seen, &mut removal);
    next::next_steps(arguments, &paths, &mut removal);
    next::not_seen(arguments, &mut removal);
    Ok(removal)
}

/// The targets of a gateway.
fn gateway(
    arguments: &Arguments,
    url: &str,
    packs: &[Pack],
    removal: &mut Removal,
) -> anyhow::Result<()> {
    let client = arguments.servers.http.client(url, Timeouts::default())?;
    let shown = client.base().to_string();
    Progress::new().step(&format!("asking {shown}"));
    let targets = match overview(&client) {
        Ok(overview) => overview.targets,
        Err(error) => {
            removal.not_known.push(format!("the targets of {shown}: {error}"));
            return Ok(());
        }
    };
    if targets.is_empty() {
        removal.not_known.push(format!("{shown} has no targets"));
    }
    for target in targets {
        let need = need(&target, packs, removal.to);
        let detail = detail(&target, need);
        let GatewayTarget { name, url, .. } = target;
        // Replicas have the same targets, and one of them may not have scraped some yet.
        let known = removal.targets.iter_mut().find(|its| its.name == name && its.url == url);
        let target = RemovalTarget { name, url, gateway: shown.clone(), need, detail };
        match known {
            Some(known) if known.need >= need => {}
            Some(known) => *known = target,
            None => removal.targets.push(target),
        }
    }
    removal.targets.sort_by(|a, b| (&a.name, &a.url).cmp(&(&b.name, &b.url)));
    match statsd_listeners(&client) {
        Ok(listeners) => removal.not_known.extend(listeners.into_iter().map(|address| {
            format!(
                "whether StatsD clients still send to {address} of {shown}: see its status page"
            )
        })),
        Err(error) => removal.not_known.push(format!("the StatsD relay of {shown}: {error}")),
    }
    Ok(())
}

/// What a gateway does for a target.
fn need(target: &GatewayTarget, packs: &[Pack], to: Generation) -> TargetNeed {
    let is_other = |its: &String| its == to.other().as_str();
    if target.generations.iter().any(is_other) {
        return TargetNeed::SpeaksOther;
    }
    match target.state.as_str() {
        "ok" => {}
        "stale" if target.on_demand => return TargetNeed::Gone,
        _ => return TargetNeed::NotKnown,
    }
    let emitted = target.emit.parse::<Emit>().ok().and_then(|emit| Emitted::new(emit, packs).ok());
    match emitted.map(Emitted::generation) {
        Some(Some(generation)) if generation == to => {}
        Some(_) => return TargetNeed::EmitsOther,
        // An edition of a pack that is not known here.
        None => return TargetNeed::NotKnown,
    }
    let speaks = |its: &String| its == to.as_str();
    if target.changed {
        TargetNeed::Changed
    } else if target.generations.iter().any(speaks) {
        TargetNeed::None
    } else {
        // It has only families that are the same in both generations.
        TargetNeed::NotKnown
    }
}

fn detail(target: &GatewayTarget, need: TargetNeed) -> String {
    match need {
        TargetNeed::SpeaksOther => target.is.join(" and "),
        TargetNeed::EmitsOther | TargetNeed::Changed => format!("emit: {}", target.emit),
        TargetNeed::NotKnown => match (&target.reason, target.state.as_str()) {
            (Some(reason), _) => format!("{}: {reason}", target.group),
            (None, "ok") if target.generations.is_empty() => {
                "it has no family that tells its generation".to_owned()
            }
            (None, "ok") => format!("emit: {}, which no pack here declares", target.emit),
            (None, _) => target.group.clone(),
        },
        TargetNeed::None | TargetNeed::Gone => String::new(),
    }
}

/// The instances from which Prometheus gets names of the other generation.
fn stored(servers: &Servers, packs: &[Pack], removal: &mut Removal) -> anyhow::Result<()> {
    let Some(client) = servers.prometheus_client()? else { return Ok(()) };
    let rules: Vec<Correspondence> = mapping::correspondences(packs, Emitted::default());
    let names = names_only_in(removal.to.other(), &rules);
    if names.is_empty() {
        return Ok(());
    }
    Progress::new().step("asking Prometheus for its series");
    match sources_of(&client, &names) {
        Ok(found) => removal.stored = found,
        Err(error) => {
            removal.not_known.push(format!("the series of {}: {error}", client.base()));
        }
    }
    Ok(())
}

/// The queries of a file that need the gateway.
fn file_queries(file: &FileAudit, is_remote: bool, removal: &mut Removal) {
    let source = file.path.display().to_string();
    if let Some(reason) = &file.unreadable {
        removal.not_known.push(format!("the queries of {source}: {reason}"));
        return;
    }
    removal.queries_seen += file.queries;
    for finding in &file.findings {
        let place = match finding.title.as_str() {
            "" => format!("line {}", finding.line),
            // The text of a server is made for the audit: its lines tell a reader nothing.
            title if is_remote => format!("{} {title}", finding.kind),
            title => format!("{} {title}, line {}", finding.kind, finding.line),
        };
        removal.queries.extend(reading(finding, removal.to, source.clone(), place));
    }
}

/// A finding, if the query reads the other generation or is not understood.
fn reading(
    finding: &Finding,
    to: Generation,
    source: String,
    place: String,
) -> Option<RemovalQuery> {
    let reads_other = finding.generations.contains(&to.other().as_str());
    let is_unknown = finding.direct == Impact::Unknown;
    if !reads_other && !is_unknown {
        return None;
    }
    let query = finding.query.clone();
    let mut details = if is_unknown { finding.details.clone() } else { Vec::new() };
    details.extend(finding.obstacles.iter().map(|it| format!("not migrated: {it}")));
    Some(RemovalQuery { source, place, query, is_certain: reads_other && !is_unknown, details })
}

/// The queries of the query log that need the gateway.
fn logged_queries(
    arguments: &Arguments,
    path: &str,
    auditor: &Auditor,
    has_rules: bool,
    removal: &mut Removal,
) -> anyhow::Result<()> {
    let shown = if path == "-" { "stdin" } else { path };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wanted = Wanted {
        since: arguments.since.map(|since| (now.saturating_sub(since)).as_secs_f64()),
        // They are known better from Prometheus itself.
        without_rules: has_rules,
        is_wanted: &|query| {
            auditor.mentioned(query.as_bytes()).is_some() || has_open_selector(query)
        },
    };
    let opened = || -> std::io::Result<QueryLog> {
        let log: Box<dyn Read> = if path == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(File::open(path)?)
        };
        query_log::read(BufReader::with_capacity(1 << 16, log), &wanted)
    };
    Progress::new().step(&format!("reading {shown}"));
    let log = opened().with_context(|| format!("cannot read the query log {shown}"))?;
    if log.unreadable > 0 {
        let lines = log.unreadable;
        removal.not_known.push(format!("{lines} lines of {shown} are not those of a query log"));
    }
    if log.is_truncated {
        removal.not_known.push(format!("{shown} has too many different queries; use --since"));
    }
    if log.lines == 0 {
        removal.not_known.push(format!("{shown} has no query of this time"));
    }
    removal.queries_seen += log.queries.len();
    let of_any_name = log.queries.iter().filter(|it| selects_any_name(&it.query)).count();
    if of_any_name > 0 {
        removal.not_known.push(format!(
            "what {of_any_name} queries of {shown} read, which select series by labels alone"
        ));
    }
    // A document with one query on each line, from the second on.
    let line = |it: &LoggedQuery| serde_json::json!({ "expr": it.query }).to_string();
    let lines: Vec<String> = log.queries.iter().map(line).collect();
    let document = format!("[\n{}\n]\n", lines.join(",\n"));
    let audit = auditor.file(Path::new(QUERY_LOG), &document);
    if let Some(reason) = &audit.unreadable {
        removal.not_known.push(format!("the queries of {shown}: {reason}"));
    }
    for finding in &audit.findings {
        let Some(logged) = log.queries.get(finding.line.saturating_sub(2)) else { continue };
        let times = if logged.count == 1 { "time" } else { "times" };
        let by = if logged.by.is_empty() { String::new() } else { format!(", by {}", logged.by) };
        let place = format!("{} {times}, last {}{by}", logged.count, logged.last);
        removal.queries.extend(reading(finding, removal.to, QUERY_LOG.to_owned(), place));
    }
    Ok(())
}

/// The texts between braces of selectors without a name in front.
fn open_selectors(query: &str) -> impl Iterator<Item = &str> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    query.match_indices('{').filter_map(move |(at, _)| {
        let (before, inside) = query.split_at_checked(at)?;
        let has_name = before.trim_end().bytes().last().is_some_and(is_name);
        let inside = inside.strip_prefix('{')?;
        (!has_name).then(|| inside.split_once('}').map_or(inside, |(inside, _)| inside))
    })
}

/// Whether a query has a selector without a name in front of its braces: `{__name__=~"kong_.*"}`.
fn has_open_selector(query: &str) -> bool {
    open_selectors(query).next().is_some()
}

/// Whether a query has a selector that says nothing of the name, or only what it is not.
fn selects_any_name(query: &str) -> bool {
    open_selectors(query).any(|inside| {
        let mut named = inside.split("__name__").skip(1);
        let is_quoted_name = inside.trim_start().starts_with(['"', '\'']);
        !is_quoted_name && !named.any(|rest| rest.trim_start().starts_with('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_without_a_name() {
        for (query, is_open, is_of_any) in [
            ("sum by (a) (kong_latency_sum{a=\"{\"})", true, false),
            ("kong_latency_sum {a=\"b\"}", false, false),
            ("rate(kong_latency_sum[5m])", false, false),
            ("count({__name__=~\"kong.+\"})", true, false),
            ("{ \"kong_latency_sum\", a=\"b\"}", true, false),
            ("a + {__name__ =\"b\"}", true, false),
            ("{job=\"kong\"}", true, true),
            ("{__name__!=\"up\"}", true, true),
        ] {
            assert_eq!(
                (has_open_selector(query), selects_any_name(query)),
                (is_open, is_of_any),
                "{query}"
            );
        }
    }

    fn target(generations: &[&str], state: &str, emit: &str) -> GatewayTarget {
        GatewayTarget {
            name: "a".to_owned(),
            url: "http://a/".to_owned(),
            on_demand: false,
            state: state.to_owned(),
            group: "failing".to_owned(),
            reason: None,
            generations: generations.iter().map(|it| (*it).to_owned()).collect(),
            is: Vec::new(),
            emit: emit.to_owned(),
            changed: false,
        }
    }

    #[test]
    fn what_a_gateway_does_for_a_target() {
        let packs = packs::load(&[]).expect("shipped");
        let need = |target: &GatewayTarget| super::need(target, &packs, Generation::New);
        for (generations, state, emit, expected) in [
            (&["new"][..], "ok", "new", TargetNeed::None),
            (&["new"], "ok", "3.9", TargetNeed::None),
            (&[], "ok", "new", TargetNeed::NotKnown),
            (&["new"], "ok", "old", TargetNeed::EmitsOther),
            (&["new"], "ok", "2.8", TargetNeed::EmitsOther),
            (&["new"], "ok", "both", TargetNeed::EmitsOther),
            (&["new"], "ok", "7.7", TargetNeed::NotKnown),
            (&["old"], "ok", "old", TargetNeed::SpeaksOther),
            (&["new", "old"], "failed", "new", TargetNeed::SpeaksOther),
            (&["new"], "failed", "new", TargetNeed::NotKnown),
            (&[], "no_known_metrics", "new", TargetNeed::NotKnown),
        ] {
            let target = target(generations, state, emit);
            assert_eq!(need(&target), expected, "{target:?}");
        }
        let mut changed = target(&["new"], "ok", "new");
        changed.changed = true;
        assert_eq!(need(&changed), TargetNeed::Changed);
        let gone = GatewayTarget { on_demand: true, ..target(&["new"], "stale", "new") };
        assert_eq!(need(&gone), TargetNeed::Gone);
    }
}

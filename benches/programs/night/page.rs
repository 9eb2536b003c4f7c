//! Pages of Kong: genuine captures whose numbers move with the traffic.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;

use super::plan::Version;
use super::traffic::Moment;

/// The family that says which tick a page shows. No pack reads it, so the gateway forwards it.
pub(crate) const TICK_FAMILY: &str = "night_tick";

/// Captures of the same requests.
const CAPTURES: [(Version, &str); 3] = [
    (Version::Kong28, "kong-2.8.5.per_consumer.txt"),
    (Version::Kong34, "kong-3.4.2.all_on.per_consumer.txt"),
    (Version::Kong39, "kong-3.9.1.all_on.per_consumer.txt"),
];

/// How the value of a sample moves.
#[derive(Debug, PartialEq, Eq)]
enum Motion {
    /// With the requests for a service, or with all of them.
    Counts { service: String },
    /// Up and down by less than `below` steps.
    Varies { what: String, step: u64, below: u64 },
    /// Between its own value and another one.
    Swings { what: String, other: u64 },
    /// Not at all.
    Stays,
}

#[derive(Debug)]
enum Line {
    /// A comment.
    Text(String),
    Sample {
        /// Name and labels, without the ID of the node: around it, if there is one.
        series: Vec<String>,
        value: u64,
        motion: Motion,
    },
}

/// The page of a version of Kong.
#[derive(Debug)]
pub(crate) struct Page(Vec<Line>);

/// The pages of all versions.
#[derive(Debug)]
pub(crate) struct Pages(Vec<(Version, Page)>);

impl Pages {
    /// Reads the captures.
    pub(crate) fn read() -> io::Result<Pages> {
        let read = |(version, name)| {
            let text = fs::read_to_string(format!("tests/captures/small/prometheus/{name}"))?;
            Ok((version, Page::parse(&text)))
        };
        CAPTURES.into_iter().map(read).collect::<io::Result<_>>().map(Pages)
    }

    /// What Kong of this version exports.
    pub(crate) fn render(&self, version: Version, moment: &Moment) -> String {
        self.page(version).render(moment)
    }

    fn page(&self, version: Version) -> &Page {
        let page = self.0.iter().find(|(of, _)| *of == version);
        &page.expect("there is a capture of each version").1
    }

    /// The dictionaries in memory that all versions have.
    pub(crate) fn common_dictionaries(&self) -> Vec<String> {
        let of = |version| {
            let samples = self.page(version).0.iter().filter_map(|line| match line {
                Line::Sample { series, .. } => label(series.last()?, "shared_dict"),
                Line::Text(_) => None,
            });
            samples.map(str::to_owned).collect::<Vec<String>>()
        };
        let (middle, new) = (of(Version::Kong34), of(Version::Kong39));
        let mut common = of(Version::Kong28);
        common.retain(|it| middle.contains(it) && new.contains(it));
        common.dedup();
        common
    }
}

impl Page {
    fn parse(text: &str) -> Page {
        let values: BTreeMap<&str, u64> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
            .collect();
        let mut lines = Vec::new();
        for line in text.lines() {
            let Some((series, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))
            else {
                lines.push(Line::Text(line.to_owned()));
                continue;
            };
            // Only 3.6 and later count requests without a service, so there are none in this traffic.
            if label(series, "service") == Some("") {
                continue;
            }
            let value = value.parse().expect("captures have whole numbers");
            let motion = motion(series, &values);
            let series = match label(series, "node_id") {
                Some(id) => series.split(id).map(str::to_owned).collect(),
                None => vec![series.to_owned()],
            };
            lines.push(Line::Sample { series, value, motion });
        }
        Page(lines)
    }

    fn render(&self, moment: &Moment) -> String {
        let mut rounds: BTreeMap<&str, u64> = BTreeMap::new();
        let id = format!("{:08x}-0000-4000-8000-{:012x}", moment.node, moment.pod.number);
        let mut page = String::new();
        for line in &self.0 {
            let written = match line {
                Line::Text(text) => writeln!(page, "{text}"),
                Line::Sample { series, value, motion } => {
                    let value = match motion {
                        Motion::Counts { service } => {
                            let rounds =
                                rounds.entry(service).or_insert_with(|| moment.rounds(service));
                            value * *rounds
                        }
                        Motion::Varies { what, step, below } => {
                            value + step * moment.noise(what, *below)
                        }
                        Motion::Swings { what, other } if moment.swings(what) => *other,
                        Motion::Swings { .. } | Motion::Stays => *value,
                    };
                    writeln!(page, "{} {value}", series.join(&id))
                }
            };
            written.expect("a String takes whatever is written to it");
        }
        page + &format!("# TYPE {TICK_FAMILY} gauge\n{TICK_FAMILY} {}\n", moment.tick)
    }
}

/// How a series of a capture moves. `values` has all samples of the capture.
fn motion(series: &str, values: &BTreeMap<&str, u64>) -> Motion {
    let (family, _) = series.split_once('{').unwrap_or((series, ""));
    let state = label(series, "state").unwrap_or_default();
    if let Some(service) = label(series, "service") {
        return Motion::Counts { service: service.to_owned() };
    }
    match family {
        "kong_nginx_requests_total" => Motion::Counts { service: String::new() },
        "kong_nginx_http_current_connections" | "kong_nginx_connections_total" => match state {
            "accepted" | "handled" | "total" => Motion::Counts { service: String::new() },
            _ => Motion::Varies { what: state.to_owned(), step: 1, below: 40 },
        },
        "kong_nginx_timers" => {
            Motion::Varies { what: format!("timers {state}"), step: 1, below: 9 }
        }
        "kong_memory_lua_shared_dict_bytes" => {
            let what = label(series, "shared_dict").unwrap_or_default().to_owned();
            Motion::Varies { what, step: 4096, below: 16 }
        }
        "kong_memory_workers_lua_vms_bytes" => {
            let what = label(series, "pid").unwrap_or_default().to_owned();
            Motion::Varies { what, step: 1000, below: 9000 }
        }
        "kong_datastore_reachable" => Motion::Swings { what: family.to_owned(), other: 0 },
        "kong_upstream_target_health" => {
            let other = match state {
                "healthy" => "unhealthy",
                "unhealthy" => "healthy",
                _ => return Motion::Stays,
            };
            let state = |state: &str| format!("state=\"{state}\"");
            let other =
                series.replace(&state(label(series, "state").unwrap_or_default()), &state(other));
            let what = label(series, "target").unwrap_or_default().to_owned();
            let other = values.get(other.as_str()).copied().unwrap_or_default();
            Motion::Swings { what, other }
        }
        _ => Motion::Stays,
    }
}

/// The value of a label, as it is written.
fn label<'a>(series: &'a str, name: &str) -> Option<&'a str> {
    let begins =
        |at: usize| series.as_bytes().get(at.wrapping_sub(1)).is_none_or(|it| b"{,".contains(it));
    let written = format!("{name}=\"");
    let (at, _) = series.match_indices(&written).find(|(at, _)| begins(*at))?;
    let value = series.get(at + written.len()..)?;
    let mut is_escaped = false;
    let end = value.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    value.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Pod;

    fn moment(tick: u64) -> Moment {
        let pod = Pod { version: Version::Kong34, number: 2, since: 3 };
        Moment { node: 1, pod, tick }
    }

    /// The sums of a family by service, route and status.
    fn sums(page: &str, family: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with(&format!("{family}{{"))) {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            let of = |name| label(series, name).expect("it has the label");
            let key = format!("{} {} {}", of("service"), of("route"), of("code"));
            *sums.entry(key).or_default() += value.parse::<u64>().expect("a whole number");
        }
        sums
    }

    #[test]
    fn all_versions_show_the_same_traffic() {
        let pages = Pages::read().expect("the captures are there");
        for tick in [3, 4, 40] {
            let of = |version, family| sums(&pages.render(version, &moment(tick)), family);
            let old = of(Version::Kong28, "kong_http_status");
            assert!(old.len() > 50, "{old:?}");
            assert_eq!(old, of(Version::Kong34, "kong_http_requests_total"));
            assert_eq!(old, of(Version::Kong39, "kong_http_requests_total"));
        }
    }

    #[test]
    fn a_page_names_its_tick_and_its_pod() {
        let pages = Pages::read().expect("the captures are there");
        let page = pages.render(Version::Kong39, &moment(7));
        assert!(page.ends_with("\nnight_tick 7\n"));
        let id = "node_id=\"00000001-0000-4000-8000-000000000002\"";
        let ids = page.lines().filter(|line| line.contains("node_id="));
        assert!(ids.clone().count() > 10 && ids.clone().all(|line| line.contains(id)));
        assert!(!page.contains("service=\"\""));
        assert_ne!(page, pages.render(Version::Kong39, &moment(8)));
    }

    #[test]
    fn labels_are_read_as_they_are_written() {
        let series = r#"f{service="a \"b\"",route="x,code=\"1\"",code="200"}"#;
        assert_eq!(label(series, "service"), Some(r#"a \"b\""#));
        assert_eq!(label(series, "code"), Some("200"));
        assert_eq!((label(series, "ode"), label("f", "code")), (None, None));
    }
}

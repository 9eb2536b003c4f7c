//! The output of the demo: series of each node, the rewritten series, URLs to open, and the table of an
//! upgrade.

use std::fmt::{self, Display, Write as _};

/// The URLs of the demo.
pub(super) struct Places {
    /// The pages of the old node, the new one, and the one that is upgraded.
    pub(super) stand_ins: [String; 3],
    /// URLs to scrape, with descriptions. The last is that of the node that is upgraded.
    pub(super) targets: [(String, &'static str); 4],
    /// The admin listener.
    pub(super) admin: String,
}

/// Pages that were scraped at (nearly) the same time.
pub(super) struct Pages {
    /// The page of the new node.
    pub(super) kong_3: String,
    /// The old node, rewritten by the gateway.
    pub(super) old_of_kong_2: String,
    /// The new node, rewritten by the gateway.
    pub(super) old_of_kong_3: String,
    /// `StatsD` lines of the new node, before and after rewriting.
    pub(super) statsd: super::statsd::Exchanged,
}

/// The service and route whose series are shown. Displayed as [`ELLIPSIS`] to shorten the lines.
const PLACE: &str = r#"service="catalog",route="item""#;
/// Labels of 3.9 that are not displayed.
const HIDDEN: [&str; 2] = [r#",source="service""#, r#",workspace="default""#];
const ELLIPSIS: &str = "…";

/// Series of Kong 3.9, by the start of their lines.
const BEFORE: [&str; 4] = [
    r#"kong_http_requests_total{…,code="200""#,
    r#"kong_bandwidth_bytes{…,direction="egress""#,
    r#"kong_request_latency_ms_bucket{…,le="25""#,
    r#"kong_request_latency_ms_bucket{…,le="50""#,
];

/// The same series in the old generation.
const AFTER: [&str; 6] = [
    r#"kong_http_status{…,code="200"}"#,
    r#"kong_http_consumer_status{…,code="200",consumer="ios"}"#,
    r#"kong_bandwidth{…,type="egress"}"#,
    r#"kong_latency_bucket{…,type="request",le="25"}"#,
    ESTIMATED,
    r#"kong_latency_bucket{…,type="request",le="50"}"#,
];

/// Kong 3.9 has boundaries at 25 and 50 ms, but not here.
const ESTIMATED: &str = r#"kong_latency_bucket{…,type="request",le="40"}"#;

/// Escape sequences, or empty text if stdout is not a terminal.
struct Style {
    bold: &'static str,
    faint: &'static str,
    plain: &'static str,
}

const COLOURED: Style = Style { bold: "\x1b[1m", faint: "\x1b[2m", plain: "\x1b[0m" };
const UNCOLOURED: Style = Style { bold: "", faint: "", plain: "" };

/// The whole screen.
pub(super) fn screen(places: &Places, pages: &Pages, is_terminal: bool) -> String {
    let style = if is_terminal { COLOURED } else { UNCOLOURED };
    let mut screen = String::new();
    write(&mut screen, places, pages, &style).expect("a String takes whatever is written to it");
    screen
}

fn write(out: &mut String, places: &Places, pages: &Pages, style: &Style) -> std::fmt::Result {
    let Style { bold, faint, plain } = style;
    let [kong_2, kong_3, kong] = &places.stand_ins;

    writeln!(out, "{bold}One shop, counted by two Kongs, scraped through one gateway.{plain}\n")?;
    writeln!(out, "  kong-2   stand-in for Kong 2.8   {kong_2}")?;
    writeln!(out, "  kong-3   stand-in for Kong 3.9   {kong_3}")?;
    writeln!(out, "  kong     2.8, then 3.9           {kong}\n")?;

    writeln!(
        out,
        "{bold}Kong 3.9 exports these series, which no dashboard for Kong 2.x queries:{plain}\n"
    )?;
    let before: Vec<_> = BEFORE.iter().flat_map(|start| lines(&pages.kong_3, start)).collect();
    let width = before.iter().map(|(series, _)| series.chars().count()).max().unwrap_or(0);
    for (series, value) in &before {
        writeln!(out, "  {series:<width$} {value:>10}")?;
    }

    writeln!(
        out,
        "\n{bold}Through the gateway, both export the series that those dashboards query:{plain}\n"
    )?;
    let width = AFTER.iter().map(|series| series.chars().count()).max().unwrap_or(0);
    writeln!(out, "  {:<width$} {faint}{:>10} {:>10}{plain}", "", "kong-2", "kong-3")?;
    for series in AFTER {
        let value = |page, mark: &str| {
            let value = lines(page, series).next().map(|(_, value)| format!("{mark}{value}"));
            value.unwrap_or_else(|| "none".to_owned())
        };
        let mark = if series == ESTIMATED { "~" } else { "" };
        let (old, new) = (value(&pages.old_of_kong_2, ""), value(&pages.old_of_kong_3, mark));
        writeln!(out, "  {series:<width$} {old:>10} {new:>10}")?;
    }
    writeln!(out, "\n  {faint}{ELLIPSIS} is {PLACE}")?;
    writeln!(out, "    and, in 3.9, source=\"service\",workspace=\"default\"")?;
    writeln!(out, "  ~ is an estimate{plain}\n")?;

    write_statsd(out, &pages.statsd, style)?;
    write_urls(out, places, style)?;
    write_table_head(out, style)
}

fn write_statsd(
    out: &mut String,
    exchanged: &super::statsd::Exchanged,
    style: &Style,
) -> std::fmt::Result {
    let Style { bold, plain, .. } = style;
    writeln!(out, "{bold}What Kong 3.9 sends to StatsD, and what the server receives:{plain}\n")?;
    let width = exchanged.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    for (sent, received) in exchanged {
        let sent = [*sent].into_iter().chain(std::iter::repeat(""));
        for (sent, received) in sent.zip(received) {
            writeln!(out, "  {sent:<width$}  {received}")?;
        }
    }
    writeln!(out)
}

fn write_urls(out: &mut String, places: &Places, style: &Style) -> std::fmt::Result {
    let Style { bold, faint, plain } = style;
    writeln!(out, "{bold}URLs to scrape, or to open:{plain}\n")?;
    let about = (&places.admin, "the status page");
    let targets = places.targets.iter().map(|(url, what)| (url, *what));
    let urls: Vec<_> = targets.chain([about]).collect();
    let width = urls.iter().map(|(url, _)| url.len()).max().unwrap_or(0);
    for (url, what) in urls {
        writeln!(out, "  {url:<width$}   {faint}{what}{plain}")?;
    }
    Ok(())
}

fn write_table_head(out: &mut String, style: &Style) -> std::fmt::Result {
    let Style { bold, faint, plain } = style;
    writeln!(out, "\n{bold}An upgrade, scrape by scrape. Ctrl-C stops.{plain}\n")?;
    writeln!(
        out,
        "  The node kong is Kong 2.8, and turns into Kong 3.9. The names that it exports"
    )?;
    writeln!(out, "  change. Prometheus, through the gateway, gets the series of the dashboards.")?;
    writeln!(
        out,
        "  {faint}(A real Kong also restarts its counters. rate() goes on after that.){plain}\n"
    )?;
    writeln!(
        out,
        "  {faint}scrape  version  {:<34}  through the gateway{plain}",
        "exported by kong"
    )
}

/// The line of the table where the node is upgraded.
pub(super) fn upgrade(is_terminal: bool) -> String {
    let Style { bold, plain, .. } = if is_terminal { COLOURED } else { UNCOLOURED };
    format!("  {bold}------  kong is upgraded to Kong 3.9 {}{plain}\n", "-".repeat(41))
}

/// A row that replaces the last one on a terminal.
pub(super) fn instead(row: &Row<'_>) -> String {
    format!("\x1b[1A\r\x1b[K{row}")
}

/// One scrape of the node that is upgraded. Displayed as a line.
pub(super) struct Row<'a> {
    /// From 1.
    pub(super) number: u32,
    /// The version of the node.
    pub(super) version: &'static str,
    /// The page of the node.
    pub(super) exported: &'a str,
    /// The page that Prometheus gets.
    pub(super) scraped: &'a str,
}

impl Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { number, version, exported, scraped } = self;
        let ((name, value), (as_name, as_value)) = (responses(exported), responses(scraped));
        writeln!(
            f,
            "  {number:>6}  {version:<7}  {name:<24} {value:>9}  {as_name:<16} {as_value:>8}"
        )
    }
}

/// The family of a page that counts responses, and its value for the place and status that are shown.
fn responses(page: &str) -> (&'static str, u64) {
    for name in ["kong_http_status", "kong_http_requests_total"] {
        let start = format!(r#"{name}{{{ELLIPSIS},code="200""#);
        let values: Vec<u64> =
            lines(page, &start).filter_map(|(_, value)| value.parse().ok()).collect();
        if !values.is_empty() {
            // Kong 3.x has a series for each consumer.
            return (name, values.iter().sum());
        }
    }
    ("none", 0)
}

/// The series whose lines start with these texts, and their values.
fn lines<'a>(page: &'a str, start: &'a str) -> impl Iterator<Item = (String, &'a str)> {
    page.lines().filter_map(move |line| {
        let (series, value) = line.rsplit_once(' ')?;
        let series = series.replace(PLACE, ELLIPSIS);
        let series = HIDDEN.iter().fold(series, |series, label| series.replace(label, ""));
        series.starts_with(start).then_some((series, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen_of(is_terminal: bool) -> String {
        let kong_3 = r#"
kong_http_requests_total{service="catalog",route="item",code="200",source="service",workspace="default",consumer=""} 5
kong_http_requests_total{service="catalog",route="item",code="200",source="service",workspace="default",consumer="ios"} 7
kong_http_requests_total{service="catalog",route="item",code="500",source="service",workspace="default",consumer="ios"} 1
kong_http_requests_total{service="catalog",route="search",code="200",source="service",workspace="default",consumer="ios"} 9
"#;
        let old = r#"
kong_http_status{service="catalog",route="item",code="200"} 12
"#;
        let places = Places {
            stand_ins: ["http://two/", "http://three/", "http://one/"].map(str::to_owned),
            targets: [
                ("http://gateway/a".into(), "first"),
                ("http://gateway/bcd".into(), "second"),
                ("http://gateway/e".into(), "third"),
                ("http://gateway/f".into(), "fourth"),
            ],
            admin: "http://admin/".into(),
        };
        let pages = Pages {
            kong_3: kong_3.into(),
            old_of_kong_2: old.into(),
            old_of_kong_3: old.replace("12", "13"),
            statsd: vec![("new:1|c", vec!["old:1|c".into(), "total:1|c".into()])],
        };
        screen(&places, &pages, is_terminal)
    }

    #[test]
    fn it_shows_the_chosen_series_and_no_others() {
        let screen = screen_of(false);
        let shown = |line: &str| {
            assert!(screen.lines().any(|each| each.trim_end() == line), "{line}\nin\n{screen}");
        };
        shown(r#"  kong_http_requests_total{…,code="200",consumer=""}             5"#);
        shown(r#"  kong_http_requests_total{…,code="200",consumer="ios"}          7"#);
        shown(r#"  kong_http_status{…,code="200"}                                 12         13"#);
        // A missing series is reported.
        shown(r#"  kong_bandwidth{…,type="egress"}                              none       none"#);
        shown("  new:1|c  old:1|c");
        shown("           total:1|c");
        assert!(!screen.contains("500") && !screen.contains("search"), "{screen}");
        shown("  http://gateway/a     first");
        shown("  http://gateway/bcd   second");
    }

    #[test]
    fn rows_show_the_names_of_both_sides() {
        let labels = r#"service="catalog",route="item",code="200""#;
        let old = format!("kong_http_status{{{labels}}} 1234567\n");
        let new = ["", "ios"].map(|consumer| {
            format!(
                "kong_http_requests_total{{{labels},source=\"service\",workspace=\"default\",\
                 consumer=\"{consumer}\"}} 2\n"
            )
        });
        let row = Row { number: 7, version: "3.9", exported: &new.concat(), scraped: &old };
        let expected =
            "       7  3.9      kong_http_requests_total         4  kong_http_status  1234567\n";
        assert_eq!(row.to_string(), expected);
        let row = Row { number: 1, version: "2.8", exported: &old, scraped: "" };
        let expected =
            "       1  2.8      kong_http_status           1234567  none                    0\n";
        assert_eq!(row.to_string(), expected);
        assert!(expected.len() <= 81 && upgrade(false).len() <= 81);
        assert!(!upgrade(false).contains('\x1b') && upgrade(true).contains('\x1b'));
    }

    #[test]
    fn it_is_not_wider_than_a_terminal() {
        for line in screen_of(false).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn colours_only_on_terminals() {
        assert!(!screen_of(false).contains('\x1b'));
        assert!(screen_of(true).contains("\x1b[1m"));
    }
}

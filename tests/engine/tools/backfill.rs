//! Stored samples become those that a gateway would have written at each scrape.
//!
//! The expected samples are those of the oracle, which reads the genuine responses one by one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::BufReader;

use crossfade::mapping::Emit;
use crossfade::tools::backfill::{
    Backfill, Error, Existing, Ignored, ImportLines, InputError, OpenMetrics, Options, QueryError,
    query_response, read_samples,
};
use serde_json::{Value, json};

use crate::support::engine::{leaving, plan, plan_of};
use crate::support::naive::{self, Series};
use crate::support::{assert_same_series, capture, oracle};

/// 2026-11-01T00:00:00.123Z
const BEGIN: i64 = 1_793_491_200_123;

/// A window has eight of the scrapes, which are 15 s apart.
const WINDOW: u32 = 120_000;

/// A database: the samples of each series by time.
type Stored = BTreeMap<Series, BTreeMap<i64, f64>>;

/// A target: its labels, and the folder with its responses.
type Target = (&'static [(&'static str, &'static str)], &'static str);

const KONG_1: Target = (
    &[("job", "kong"), ("instance", "kong-1:8100"), ("zone", "eu")],
    "small/series/kong-2.8.5.restart",
);

/// Its own labels have names of labels of its metrics.
const KONG_2: Target = (
    &[("job", "kong"), ("instance", "kong-2:8100"), ("service", "gateway")],
    "small/series/kong-2.8.5.steady",
);

/// Of the new generation.
const KONG_3: Target =
    (&[("job", "kong"), ("instance", "kong-3:8100")], "small/series/kong-3.9.1.restart");

/// A series as Prometheus stores it without `honor_labels`.
fn stored_series(exposed: &Series, target: &[(&str, &str)]) -> Series {
    let mut series = Series::new(&exposed.name, &[]);
    for (name, value) in &exposed.labels {
        let is_of_target = target.iter().any(|(label, _)| label == name);
        let name = if is_of_target { format!("exported_{name}") } else { name.clone() };
        series.labels.insert(name, value.clone());
    }
    series.labels.extend(target.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    series
}

/// What Prometheus has stored of these targets, and what a gateway would have added.
fn scraped(targets: &[Target], emit: Emit) -> (Stored, Stored) {
    let (mut stored, mut added) = (Stored::new(), Stored::new());
    for (index, (labels, folder)) in (0..).zip(targets) {
        let mut memory = oracle::Memory::new();
        for number in 1..=12 {
            let body = naive::parse(&capture(&format!("{folder}/{number:02}.txt.gz")));
            // The targets are not scraped at the same time.
            let time = BEGIN + (number - 1) * 15_000 + index * 1_000;
            let exposed = body.stored();
            for (series, value) in &exposed {
                let series = stored_series(series, labels);
                stored.entry(series).or_default().insert(time, *value);
            }
            let up = Series::new("up", labels);
            stored.entry(up).or_default().insert(time, 1.0);
            for (series, value) in oracle::rewrite_next(&body, leaving(emit), &mut memory) {
                if !exposed.contains_key(&series) {
                    let series = stored_series(&series, labels);
                    added.entry(series).or_default().insert(time, value);
                }
            }
        }
    }
    (stored, added)
}

fn braces(series: &Series, with_name: bool, separator: &str) -> String {
    let name = ("__name__", &series.name);
    let labels = series.labels.iter().map(|(name, value)| (name.as_str(), value));
    let all = Some(name).filter(|_| with_name).into_iter().chain(labels);
    let text = |(name, value): (&str, &String)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    let list: Vec<String> = all.map(text).collect();
    format!("{{{}}}", list.join(separator))
}

/// `promtool tsdb dump-openmetrics`
fn dump_openmetrics(stored: &Stored) -> String {
    let mut text = String::new();
    for (series, samples) in stored {
        for (time, value) in samples {
            let (name, labels) = (&series.name, braces(series, false, ", "));
            let (seconds, millis) = (time / 1_000, time % 1_000);
            writeln!(text, "{name}{labels} {value} {seconds}.{millis:03}")
                .expect("a String takes everything");
        }
    }
    text + "# EOF\n"
}

/// `promtool tsdb dump`
fn dump(stored: &Stored) -> String {
    let mut text = String::new();
    for (series, samples) in stored {
        for (time, value) in samples {
            writeln!(text, "{} {value} {time}", braces(series, true, ", "))
                .expect("a String takes everything");
        }
    }
    text
}

fn metric(series: &Series) -> Value {
    let mut labels = series.labels.clone();
    labels.insert("__name__".to_owned(), series.name.clone());
    json!(labels)
}

/// `/api/v1/export` of `VictoriaMetrics`
fn export(stored: &Stored) -> String {
    let lines = stored.iter().map(|(series, samples)| {
        let (times, values): (Vec<i64>, Vec<f64>) = samples.clone().into_iter().unzip();
        json!({"metric": metric(series), "values": values, "timestamps": times}).to_string() + "\n"
    });
    lines.collect()
}

/// The response to a query of Prometheus.
fn matrix(stored: &Stored) -> String {
    let series = stored.iter().map(|(series, samples)| {
        let pair = |(time, value): (&i64, &f64)| {
            json!([
                serde_json::from_str::<Value>(&format!("{}.{:03}", time / 1_000, time % 1_000))
                    .expect("a number"),
                value.to_string()
            ])
        };
        json!({"metric": metric(series), "values": samples.iter().map(pair).collect::<Vec<_>>()})
    });
    let result: Vec<Value> = series.collect();
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}}).to_string()
}

fn options() -> Options {
    Options {
        window: WINDOW,
        memory: 1 << 20,
        spill_folder: std::env::temp_dir(),
        existing: Existing::Refuse,
        target_labels: vec!["instance".to_owned(), "job".to_owned()],
        range: 0..i64::MAX,
    }
}

/// The text of each window.
fn windows(backfill: &mut Backfill) -> Result<Vec<String>, Error> {
    let mut portion = backfill.portion()?;
    let mut texts = Vec::new();
    while portion.next_window(WINDOW).is_some() {
        let mut text = Vec::new();
        backfill.window(&mut portion, &mut OpenMetrics::new(&mut text))?;
        texts.push(String::from_utf8(text).expect("the input is UTF-8"));
    }
    Ok(texts)
}

fn read(backfill: &mut Backfill, source: &str) -> Result<Ignored, InputError> {
    read_samples(BufReader::with_capacity(100, source.as_bytes()), backfill, &mut |_| {})
}

/// What Prometheus would store of a text in `OpenMetrics`.
fn parsed(text: &str) -> Stored {
    let mut stored = Stored::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        let (series, time) = line.rsplit_once(' ').expect("a timestamp");
        let body = naive::parse(format!("{series}\n").as_bytes());
        let (seconds, millis) = time.split_once('.').unwrap_or((time, "0"));
        let number = |text: &str| text.parse::<i64>().expect("a number");
        let time = number(seconds) * 1_000 + number(millis);
        let sample = body.samples().next().unwrap_or_else(|| panic!("{line}"));
        let before = stored.entry(sample.series()).or_default().insert(time, sample.value);
        assert_eq!(before, None, "{line} is the second one at this time");
    }
    stored
}

/// Each sample as a series with its time.
fn flat(stored: &Stored) -> BTreeMap<Series, f64> {
    let mut all = BTreeMap::new();
    for (series, samples) in stored {
        for (time, value) in samples {
            all.insert(series.with("time", &time.to_string()), *value);
        }
    }
    all
}

#[track_caller]
fn check(emit: Emit, targets: &[Target]) {
    let (stored, expected) = scraped(targets, emit);
    assert!(expected.len() > 100, "{} series", expected.len());
    // A record has 24 bytes: sorted in memory, and in runs of 1,000 on disk.
    for memory in [1 << 30, 24_000] {
        let mut backfill = Backfill::new(plan(emit), Options { memory, ..options() });
        read(&mut backfill, &dump_openmetrics(&stored)).expect("it is a dump");
        let texts = windows(&mut backfill).expect("nothing exists");
        assert_eq!(texts.len(), 2);
        let actual = parsed(&texts.concat());
        assert_same_series(&flat(&expected), &flat(&actual), &format!("{emit}, {memory}"));
        let totals = backfill.totals();
        let samples = expected.values().map(BTreeMap::len).sum::<usize>();
        let counted = [totals.samples_out, totals.series_out, totals.scrapes];
        let count = |count: usize| u64::try_from(count).expect("few");
        assert_eq!(counted, [samples, expected.len(), 12 * targets.len()].map(count));
    }
}

#[test]
fn samples_of_an_old_kong_become_those_of_a_new_one() {
    check(Emit::New, &[KONG_1, KONG_2]);
}

#[test]
fn samples_of_a_new_kong_become_those_of_an_old_one() {
    check(Emit::Old, &[KONG_3, KONG_1]);
}

#[test]
fn all_sources_give_the_same_output() {
    let (stored, _) = scraped(&[KONG_1, KONG_2], Emit::New);
    let from_dump = |text: &str| {
        let mut backfill = Backfill::new(plan(Emit::New), options());
        let ignored = read(&mut backfill, text).expect("it can be read");
        (ignored, windows(&mut backfill).expect("nothing exists"))
    };
    let (ignored, expected) = from_dump(&dump_openmetrics(&stored));
    assert_eq!(ignored, Ignored::default());
    assert_eq!(from_dump(&dump(&stored)), (ignored, expected.clone()));
    assert_eq!(from_dump(&export(&stored)), (ignored, expected.clone()));

    let mut backfill = Backfill::new(plan(Emit::New), options());
    let read = query_response(matrix(&stored).as_bytes(), &mut backfill);
    assert_eq!(read.expect("a response"), (ignored, Vec::new()));
    assert_eq!(windows(&mut backfill).expect("nothing exists"), expected);
}

#[test]
fn windows_that_are_read_one_by_one_give_the_same_output() {
    let (stored, expected) = scraped(&[KONG_1], Emit::New);
    let mut backfill = Backfill::new(plan(Emit::New), options());
    let mut texts = Vec::new();
    let mut start = BEGIN - BEGIN % i64::from(WINDOW);
    while start < BEGIN + 180_000 {
        backfill.set_range(start..start + i64::from(WINDOW));
        // As Prometheus 2 does, the source also returns what is just outside.
        query_response(matrix(&stored).as_bytes(), &mut backfill).expect("a response");
        texts.extend(windows(&mut backfill).expect("nothing exists"));
        start += i64::from(WINDOW);
    }
    assert_same_series(&flat(&expected), &flat(&parsed(&texts.concat())), "one by one");
    let series = u64::try_from(expected.len()).unwrap();
    assert_eq!(backfill.totals().series_out, series, "a series is counted once");
}

/// What has been written is not written again, and differences never decrease (rule E5).
#[test]
fn a_run_continues_another_one() {
    let (stored, _) = scraped(&[KONG_1], Emit::New);
    let source = dump_openmetrics(&stored);
    let mut whole = Backfill::new(plan(Emit::New), options());
    read(&mut whole, &source).expect("a dump");
    let expected = windows(&mut whole).expect("nothing exists");

    let mut first = Backfill::new(plan(Emit::New), options());
    read(&mut first, &source).expect("a dump");
    let mut portion = first.portion().expect("sorted");
    let start = portion.next_window(WINDOW).expect("two windows");
    let mut text = Vec::new();
    first.window(&mut portion, &mut OpenMetrics::new(&mut text)).expect("nothing exists");
    assert_eq!(String::from_utf8(text).unwrap(), expected[0]);

    let mut second = Backfill::new(plan(Emit::New), options());
    let histories: Vec<_> = first.histories().map(|(target, it)| (target, it.clone())).collect();
    assert!(histories.iter().any(|(_, history)| history.entries().len() > 0));
    second.resume(start + i64::from(WINDOW), first.totals().clone(), histories);
    read(&mut second, &source).expect("a dump");
    assert_eq!(windows(&mut second).expect("nothing exists"), expected[1..]);
    assert_eq!(second.totals().samples_out, whole.totals().samples_out);
}

const PACK: &str = "name: p\nprometheus:\n  - old: hits{svc=$s}\n    new: hits_total{service=$s}\n";

fn backfilled(options: Options, source: &str) -> Result<String, Error> {
    let mut backfill = Backfill::new(plan_of(PACK, Emit::New), options);
    read(&mut backfill, source).expect("it can be read");
    windows(&mut backfill).map(|texts| texts.concat())
}

#[test]
fn series_that_exist_are_refused_or_kept() {
    let before = "hits{svc=\"a\",job=\"j\"} 1 100\nhits{svc=\"a\",job=\"j\"} 2 110\n";
    let written =
        "hits_total{job=\"j\",service=\"a\"} 1 100\nhits_total{job=\"j\",service=\"a\"} 2 110\n";
    // The upgrade was later: what is stored is not touched.
    let after = "hits_total{service=\"a\",job=\"j\"} 3 120\n";
    let source = format!("{before}{after}");
    assert_eq!(backfilled(options(), &source).unwrap(), format!("{written}# EOF\n# EOF\n"));

    // The gateway wrote both.
    let both =
        "hits_total{service=\"a\",job=\"j\"} 1 100\nhits_total{service=\"a\",job=\"j\"} 2 110\n";
    let source = format!("{before}{both}");
    assert_eq!(backfilled(options(), &source).unwrap(), "# EOF\n");

    // There is one before.
    let earlier = "hits_total{service=\"a\",job=\"j\"} 0 105\n";
    let source = format!("{before}{earlier}");
    match backfilled(options(), &source) {
        Err(Error::Exists { series, first, time }) => {
            assert_eq!(series, "hits_total{job=\"j\",service=\"a\"}");
            assert_eq!((first, time), (105_000, 110_000));
        }
        other => panic!("{other:?}"),
    }
    let keep = Options { existing: Existing::Keep, ..options() };
    assert_eq!(backfilled(keep, &source).unwrap(), format!("{written}# EOF\n"));

    // Outside of the range.
    let range = Options { range: 0..105_000, ..options() };
    let first = "hits_total{job=\"j\",service=\"a\"} 1 100\n# EOF\n";
    assert_eq!(backfilled(range, &source).unwrap(), first);
}

/// What was stored in an earlier portion of the source counts too, and so does another spelling of
/// a boundary, as Prometheus 3 has it.
#[test]
fn series_that_existed_earlier_are_refused() {
    let refused = |sources: &[&str]| {
        let pack = "name: p\nprometheus:\n  - old: t{svc=$s}\n    new: t_new{service=$s}\n    type: histogram\n";
        let mut backfill = Backfill::new(plan_of(pack, Emit::New), options());
        for source in sources {
            read(&mut backfill, source).expect("it can be read");
            match windows(&mut backfill) {
                Ok(_) => {}
                Err(Error::Exists { first, .. }) => return Some(first),
                Err(error) => panic!("{error}"),
            }
        }
        None
    };
    let old = |time: i64| format!("t_bucket{{job=\"j\",le=\"25\",svc=\"a\"}} 1 {time}\n");
    let new = |le: &str, time: i64| {
        format!("t_new_bucket{{job=\"j\",le=\"{le}\",service=\"a\"}} 1 {time}\n")
    };
    assert_eq!(refused(&[&old(100), &old(200)]), None);
    assert_eq!(refused(&[&old(100), &new("25", 150), &old(200)]), Some(150_000));
    assert_eq!(refused(&[&old(100), &(new("25.0", 150) + &old(200))]), Some(150_000));
    assert_eq!(refused(&[&old(100), &new("25.0", 150), &old(200)]), Some(150_000));
    assert_eq!(refused(&[&old(100), &new("50", 150), &old(200)]), None);
}

/// Stored series have their labels in the order of their names, and are sorted as text.
#[test]
fn merged_histograms_are_added_bucket_by_bucket() {
    let pack =
        "name: p\nprometheus:\n  - old: t_old{r=$r}\n    new: t_new{r=$r,w}\n    type: histogram\n";
    let bucket = |le: &str, w: &str, count: u32| {
        format!("t_new_bucket{{le=\"{le}\",r=\"x\",w=\"{w}\"}} {count} 100\n")
    };
    let counts = [("+Inf", 10), ("100", 6), ("25", 1), ("50", 3)];
    let lines = counts.map(|(le, count)| bucket(le, "a", count) + &bucket(le, "b", count));
    let mut backfill = Backfill::new(plan_of(pack, Emit::Old), options());
    read(&mut backfill, &lines.concat()).expect("it can be read");
    let expected = "# TYPE t_old histogram\n\
                    t_old_bucket{le=\"25\",r=\"x\"} 2 100\nt_old_bucket{le=\"50\",r=\"x\"} 6 100\n\
                    t_old_bucket{le=\"100\",r=\"x\"} 12 100\nt_old_bucket{le=\"+Inf\",r=\"x\"} 20 100\n\
                    t_old_count{r=\"x\"} 20 100\n# EOF\n";
    assert_eq!(windows(&mut backfill).expect("nothing exists").concat(), expected);
}

/// A scrape that failed leaves `up` alone, and a series that ended leaves NaN in a dump.
#[test]
fn gaps_stay_gaps() {
    let source = "hits{svc=\"a\",job=\"j\"} 1 100\nhits{svc=\"a\",job=\"j\"} NaN 115\n\
                  hits{svc=\"b\",job=\"j\"} 5 130\nup{job=\"j\"} 1 100\nup{job=\"j\"} 0 115\n\
                  up{job=\"j\"} 1 130\n# EOF\n";
    let mut backfill = Backfill::new(plan_of(PACK, Emit::New), options());
    let ignored = read(&mut backfill, source).expect("it can be read");
    assert_eq!(ignored, Ignored { not_numbers: 1, ..Ignored::default() });
    let expected = "hits_total{job=\"j\",service=\"a\"} 1 100\n# EOF\n\
                    hits_total{job=\"j\",service=\"b\"} 5 130\n# EOF\n";
    assert_eq!(windows(&mut backfill).unwrap().concat(), expected);
    assert_eq!(backfill.totals().scrapes, 2);
}

#[test]
fn what_is_not_understood_is_an_error_with_its_line() {
    for (source, expected) in [
        ("hits 1 100\nhits 2\n", "line 2: it has no timestamp; expected a line of `promtool"),
        ("hits{ 1 100\n", "line 1: bad_labels; expected a line of `promtool"),
        ("hits 1 100\nhits 2 10", "line 2: it has no newline, so the dump was cut here"),
        ("hits 1 -100\n", "a sample at -100000 ms since 1970: only times from 1970 to 2100"),
        ("hits 1 99999999999\n", "a sample at 99999999999000 ms since 1970"),
        (
            "{\"metric\":{},\"values\":[1],\"timestamps\":[]}\n",
            "line 1: it has 1 values and 0 timestamps",
        ),
        (
            "{\"metric\":{\"__name__\":\"hits\"},\"values\":[\"x\"],\"timestamps\":[1]}",
            "line 1: a value is not a number",
        ),
        ("{\"metric\":{}}\n{", "line 1: missing field `values`"),
    ] {
        let mut backfill = Backfill::new(plan_of(PACK, Emit::New), options());
        let error = read(&mut backfill, source).expect_err(source).to_string();
        assert!(error.starts_with(expected), "{source}: {error}");
    }
    // Other families are not looked at closely, and a dump can be cut.
    let mut backfill = Backfill::new(plan_of(PACK, Emit::New), options());
    let source = "other 1 -100\nother{a=\"b\"} 1 5\nhttp.server{a=\"b\"} 1 5\n\
                  {__name__=\"http.server\", a=\"b\"} 1 5\n\
                  {__name__=\"x\"} {count:10, sum:5, [1,2]:3} 5\n\
                  {__name__=\"hits\", a=\"b\"} {count:10, sum:5, [1,2]:3} 5\n";
    let ignored = read(&mut backfill, source).expect("a dump");
    let expected = Ignored { other_families: 5, native_histograms: 1, ..Ignored::default() };
    assert_eq!(Ignored { has_no_end: false, ..ignored }, expected);
    assert!(ignored.has_no_end);
    assert_eq!(windows(&mut backfill).unwrap().concat(), "");
}

#[test]
fn responses_of_prometheus_that_have_no_samples() {
    let respond = |text: &str| {
        let mut backfill = Backfill::new(plan_of(PACK, Emit::New), options());
        query_response(text.as_bytes(), &mut backfill).map(|(_, warnings)| warnings)
    };
    let error = r#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    let refused = respond(error).expect_err("an error");
    assert_eq!(refused.to_string(), "execution: too many samples");
    for text in [
        "",
        "<html>",
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"1"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"hits"},"values":[[1,"x"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"hits"},"values":[[1,"1"#,
    ] {
        let error = respond(text).expect_err(text);
        assert!(matches!(error, QueryError::Response(_)), "{text}: {error}");
    }
    let warned =
        r#"{"status":"success","warnings":["partial"],"data":{"resultType":"matrix","result":[]}}"#;
    assert_eq!(respond(warned).expect("a response"), ["partial"]);
}

#[test]
fn import_lines_have_the_same_samples() {
    let (stored, expected) = scraped(&[KONG_2], Emit::New);
    let mut backfill = Backfill::new(plan(Emit::New), options());
    read(&mut backfill, &export(&stored)).expect("it is an export");
    let mut portion = backfill.portion().expect("sorted");
    let mut actual = Stored::new();
    while portion.next_window(WINDOW).is_some() {
        let mut text = Vec::new();
        backfill.window(&mut portion, &mut ImportLines::new(&mut text)).expect("nothing exists");
        for line in String::from_utf8(text).expect("JSON").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let labels: BTreeMap<String, String> =
                serde_json::from_value(line["metric"].clone()).expect("labels");
            let mut series = Series { name: labels["__name__"].clone(), labels };
            series.labels.remove("__name__");
            let list = |key: &str| line[key].as_array().expect("a list").clone();
            for (time, value) in list("timestamps").iter().zip(list("values")) {
                let samples = actual.entry(series.clone()).or_default();
                samples.insert(time.as_i64().expect("a time"), value.as_f64().expect("a value"));
            }
        }
    }
    assert_same_series(&flat(&expected), &flat(&actual), "import lines");
}

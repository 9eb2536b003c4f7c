//! `OpenMetrics`: what is renamed stays valid. `external/open_metrics.rs` has other parsers read it.

use crossfade::exposition::Format;
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{Error, History, Limits, Malformed, Options};

use crate::support::engine::{empty_plan, plan_of, rewrite_at_every_cut, try_rewrite};
use crate::support::open_metrics::{NEW, NEW_TARGET, OLD, OLD_AGAIN, PACK};

const OPTIONS: Options = Options {
    malformed: Malformed::Drop,
    format: Format::OpenMetrics,
    repeated_types: false,
    strict: false,
    limits: Limits {
        line_bytes: 1000,
        held_series: 1000,
        held_bytes: 1 << 20,
        labels: 10,
        body_bytes: 1 << 20,
    },
};

#[test]
fn everything_that_is_renamed_stays_valid() {
    let outcome = rewrite_at_every_cut(&plan_of(PACK, Emit::New), OPTIONS, OLD);
    assert_eq!(outcome.text(), NEW);
    // That of a counter which is no longer one.
    assert_eq!(outcome.dropped("creation_time"), 1);
    let outcome = rewrite_at_every_cut(&plan_of(PACK, Emit::Old), OPTIONS, NEW_TARGET);
    assert_eq!(outcome.text(), OLD_AGAIN);
}

#[test]
fn what_arrives_in_the_emitted_generation_is_unchanged() {
    for (emit, body) in [(Emit::Old, OLD), (Emit::New, NEW_TARGET)] {
        let outcome = rewrite_at_every_cut(&plan_of(PACK, emit), OPTIONS, body);
        // The help text could also be that of a counter `queue_total`, so it waits for the type.
        let [help, metric_type] = ["# HELP queue Length.\n", "# TYPE queue unknown\n"];
        let waited = body.replace(&[help, metric_type].concat(), &[metric_type, help].concat());
        assert_eq!(outcome.text(), waited);
    }
}

/// The order of the headers of a family may differ, and strict output writes those that arrive late.
#[test]
fn units_go_with_their_families_in_strict_output() {
    let strict = Options { strict: true, ..OPTIONS };
    for body in [
        "# UNIT wait_seconds seconds\n# TYPE wait_seconds gauge\nwait_seconds 1\n# EOF\n",
        "# TYPE wait_seconds gauge\nwait_seconds 1\n# UNIT wait_seconds seconds\n# EOF\n",
    ] {
        assert_eq!(
            rewrite_at_every_cut(&plan_of(PACK, Emit::New), strict, body).text(),
            "# TYPE delay_seconds gauge\n# UNIT delay_seconds seconds\ndelay_seconds 1\n# EOF\n",
            "{body}"
        );
    }
    // Prometheus has no place for a unit in its own format: it is a comment there.
    let text = Options { format: Format::Text, ..OPTIONS };
    let body = "# TYPE wait_seconds gauge\n# UNIT wait_seconds seconds\nwait_seconds 1\n";
    assert_eq!(
        rewrite_at_every_cut(&plan_of(PACK, Emit::New), text, body).text(),
        "# UNIT wait_seconds seconds\n# TYPE delay_seconds gauge\ndelay_seconds 1\n"
    );
}

#[test]
fn lines_that_only_the_text_format_has_are_dropped() {
    for line in [
        "# a comment\n",
        "\n",
        "#no blank\n",
        " # TYPE a gauge\n",
        "#  TYPE a gauge\n",
        "# TYPE  a gauge\n",
        "#\tTYPE a gauge\n",
        "# HELP a\n",
        "# TYPE a untyped\n",
        "# UNIT a seconds\n",
        "# UNIT aseconds seconds\n",
        "# UNIT seconds seconds\n",
        "# EOF\n",
        "# EOF \n",
        "# EOF\r\n",
        "# TYPE \"a gauge\n",
    ] {
        let body = format!("b 1\n{line}c 2\n# EOF\n");
        let outcome = rewrite_at_every_cut(&empty_plan(), OPTIONS, &body);
        assert_eq!(
            (outcome.text(), outcome.dropped("bad_header")),
            ("b 1\nc 2\n# EOF\n", 1),
            "{line}"
        );
        let fail = Options { malformed: Malformed::Fail, ..OPTIONS };
        let error = try_rewrite(&empty_plan(), fail, History::default(), [body.as_bytes()]);
        assert!(matches!(error, Err(Error::Malformed { line: 2, .. })), "{line}: {error:?}");
        let pass = Options { malformed: Malformed::Pass, ..OPTIONS };
        assert_eq!(rewrite_at_every_cut(&empty_plan(), pass, &body).text(), body);
    }
    for header in [
        "# HELP a \n",
        "# HELP a  two blanks\n",
        "# HELP \"a b\" text\n",
        "# TYPE \"a b\" unknown\n",
        "# UNIT a_seconds seconds\n",
        "# UNIT \"a b_seconds\" seconds\n",
        "# UNIT a \n",
    ] {
        let body = format!("{header}# EOF\n");
        assert_eq!(rewrite_at_every_cut(&empty_plan(), OPTIONS, &body).text(), body);
    }
}

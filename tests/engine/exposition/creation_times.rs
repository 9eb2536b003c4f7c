//! Creation times of `OpenMetrics`: they go with the series that they belong to.

use crossfade::exposition::Format;
use crossfade::mapping::Emit;
use crossfade::rewrite::exposition::{History, Options};

use crate::support::engine::{Outcome, plan_of, try_rewrite};

const PACK: &str = r"
name: example
prometheus:
  - { old: 'hits_total{svc=$s}', new: 'requests_total{service=$s}' }
  - { old: took_ms, new: duration_ms }
  - { old: size, new: bytes }
  - { old: 'summed_total{a}', new: added_total, type: counter }
  - { old: plain_total, new: untyped }
";

fn rewritten(emit: Emit, input: &str) -> Outcome {
    let options = Options { format: Format::OpenMetrics, ..Options::default() };
    let outcome =
        try_rewrite(&plan_of(PACK, emit), options, History::default(), [input.as_bytes()]);
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn assert_rewritten(emit: Emit, input: &str, expected: &str) -> Outcome {
    let outcome = rewritten(emit, input);
    assert_eq!(outcome.text(), expected);
    outcome
}

#[test]
fn renamed_families_keep_their_creation_times() {
    assert_rewritten(
        Emit::New,
        "# TYPE hits counter\n\
         hits_created{svc=\"a\"} 1.7e9\n\
         hits_total{svc=\"a\"} 1\n\
         # TYPE took_ms histogram\n\
         took_ms_bucket{le=\"1.0\"} 1\n\
         took_ms_bucket{le=\"+Inf\"} 2\n\
         took_ms_created 1.7e9\n\
         took_ms_count 2\n\
         # TYPE size summary\n\
         size{quantile=\"0.5\"} 1\n\
         size_created 1.7e9\n\
         # EOF\n",
        "# TYPE requests counter\n\
         requests_created{service=\"a\"} 1.7e9\n\
         requests_total{service=\"a\"} 1\n\
         # TYPE duration_ms histogram\n\
         duration_ms_bucket{le=\"1.0\"} 1\n\
         duration_ms_bucket{le=\"+Inf\"} 2\n\
         duration_ms_created 1.7e9\n\
         duration_ms_count 2\n\
         # TYPE bytes summary\n\
         bytes{quantile=\"0.5\"} 1\n\
         bytes_created 1.7e9\n\
         # EOF\n",
    );
}

#[test]
fn a_sum_has_no_creation_time() {
    let outcome = assert_rewritten(
        Emit::New,
        "# TYPE summed counter\n\
         summed_total{a=\"1\"} 1\n\
         summed_created{a=\"1\"} 1.7e9\n\
         summed_total{a=\"2\"} 2\n\
         summed_created{a=\"2\"} 1.6e9\n\
         # TYPE plain counter\n\
         plain_total 5\n\
         plain_created 1.7e9\n\
         # EOF\n",
        "# TYPE untyped unknown\n\
         untyped 5\n\
         # TYPE added counter\n\
         added_total 3\n\
         # EOF\n",
    );
    assert_eq!(outcome.dropped("creation_time"), 3);
}

#[test]
fn under_both_the_family_that_arrived_keeps_its_creation_times() {
    let input = "# TYPE hits counter\nhits_total{svc=\"a\"} 1\nhits_created{svc=\"a\"} 1.7e9\n";
    let expected = "# TYPE requests counter\nrequests_total{service=\"a\"} 1\n# EOF\n";
    assert_rewritten(Emit::Both, &format!("{input}# EOF\n"), &format!("{input}{expected}"));
}

#[test]
fn what_arrives_in_both_shapes_is_written_once() {
    for created_first in [true, false] {
        let [created, total] = ["hits_created{svc=\"a\"} 1.7e9\n", "hits_total{svc=\"a\"} 1\n"];
        let [first, second] = if created_first { [created, total] } else { [total, created] };
        let old = format!("# TYPE hits counter\n{first}{second}");
        let new = old.replace("hits", "requests").replace("svc", "service");
        for input in [format!("{old}{new}# EOF\n"), format!("{new}{old}# EOF\n")] {
            let outcome = rewritten(Emit::New, &input);
            let expected = format!("{new}# EOF\n");
            assert_eq!(outcome.text(), expected);
            assert_eq!(outcome.dropped("already_present"), 2);
        }
    }
}

#[test]
fn creation_times_of_other_families_pass() {
    let input = "# TYPE other counter\nother_total 1\nother_created 1.7e9\n\
                 # TYPE hits_created gauge\nhits_created 1\n# EOF\n";
    assert_rewritten(Emit::New, input, input);
}

//! The dotted lines that are written for lines with tags, for pieces of any length.

use crossfade::mapping::Emit;
use crossfade::rewrite::statsd::{Outcome, Rewriter, Sender};

use crate::support::statsd::plan;

/// A line of Kong 3.9 that counts a request, and the lines of 2.8 for it.
fn request(service: &str, consumer: &str, status: &str, value: &str) -> (String, Vec<String>) {
    let line = format!(
        "kong.request.count:{value}|c|#route:r,service:{service},node:10.0.0.1,status:{status},\
         consumer:{consumer},workspace:default"
    );
    let service = service.replace('.', "_");
    let lines = [
        format!("{service}.request.count:{value}|c"),
        format!("{service}.request.status.{status}:{value}|c"),
        format!("{service}.request.status.total:{value}|c"),
        format!("{service}.user.uniques:{consumer}|s"),
        format!("{service}.user.{consumer}.request.count:{value}|c"),
        format!("{service}.user.{consumer}.request.status.{status}:{value}|c"),
        format!("{service}.user.{consumer}.request.status.total:{value}|c"),
    ];
    (line, lines.map(|line| format!("kong.{line}")).to_vec())
}

/// The output for a datagram.
fn rewritten(rewriter: &mut Rewriter, datagram: &str) -> String {
    let mut out = Vec::new();
    let outcome = rewriter.rewrite(datagram.as_bytes(), &mut Sender::default(), &mut out);
    assert_eq!(outcome, Outcome::Rewritten, "{datagram}");
    String::from_utf8(out).unwrap()
}

#[test]
fn names_and_values_have_any_length() {
    // Around the lengths up to which pieces are copied at once, and more than there is room for.
    let lengths = (1..40).chain([100, 250, 700, 1500, 2040, 2048, 5000]);
    let mut rewriter = Rewriter::new(plan(Emit::Old));
    let mut all = (Vec::new(), Vec::new());
    for length in lengths {
        let text = |of: &str| of.chars().cycle().take(length).collect::<String>();
        let (long, digits) = (text("shop-v2.x_"), text("12345678"));
        for (service, consumer, status, value) in [
            (&*long, "ann", "200", "1"),
            ("orders", &*long, "404", "1"),
            ("orders", "ann", &*digits, "1"),
            ("orders", "ann", "200", &*digits),
            (&*long, &*long, "200", "1"),
        ] {
            let (line, expected) = request(service, consumer, status, value);
            assert_eq!(rewritten(&mut rewriter, &line), expected.join("\n"), "{line}");
            all.0.push(line);
            all.1.extend(expected);
        }
    }
    assert_eq!(rewritten(&mut rewriter, &all.0.join("\n")), all.1.join("\n"));
}

#[test]
fn tags_are_read_in_any_order_after_any_other() {
    let tags = ["route:r", "service:s", "node:n", "status:2", "consumer:c", "workspace:w"];
    let mut rewriter = Rewriter::new(plan(Emit::Old));
    let (_, expected) = request("s", "c", "2", "1");
    for round in 0..36 {
        let mut tags = tags.to_vec();
        tags.rotate_left(round % 6);
        tags.swap(round % 5, round / 6);
        let line = format!("kong.request.count:1|c|#{}", tags.join(","));
        assert_eq!(rewritten(&mut rewriter, &line), expected.join("\n"), "{line}");
    }
}

#[test]
fn fields_as_long_as_the_tags_in_the_name_are_kept() {
    let mut rewriter = Rewriter::new(plan(Emit::Old));
    for field in ["|@0.12345678", "|@0.1234567", "|T1234567890", "|T123456789"] {
        let line = format!("kong.latency,service=ab:1|ms{field}");
        assert_eq!(rewritten(&mut rewriter, &line), format!("kong.ab.latency:1|ms{field}"));
    }
}

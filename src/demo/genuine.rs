//! Compares the simulated pages with those of Kong's own plugin, byte for byte.
//!
//! The requests of the captures are counted here. Kong's pages for these requests are in
//! `tests/captures/tiny`.

use super::node::{Connections, LuaVmBytes, Node, SHARED_DICTS, Timers};
use super::render;
use crate::demo::counters::Source::{Kong, Service};
use crate::demo::counters::{Bytes, Place, Request, Session, Source, Tally};

const ALICE: &str = "alice";
const NOBODY: &str = "";

/// Consumer, status, source, milliseconds in Kong, upstream and total, bytes received and sent.
type Row = (&'static str, u16, Source, u32, Option<u32>, u32, (u64, u64));

#[rustfmt::skip] // one request per line
const REQUESTS: [Row; 20] = [
    (ALICE, 200, Service, 1, Some(156), 157, (530, 3962)),
    (ALICE, 200, Service, 0, Some(12), 14, (89, 932)),
    (ALICE, 200, Service, 2, Some(322), 325, (255, 3874)),
    (ALICE, 500, Service, 1, Some(17), 19, (321, 907)),
    (ALICE, 500, Service, 0, Some(12), 13, (143, 15_580)),
    (NOBODY, 500, Service, 12, Some(489), 502, (63, 10_121)),
    (NOBODY, 200, Service, 15, Some(4), 20, (294, 1365)),
    (NOBODY, 200, Service, 4, Some(48), 53, (4748, 1073)),
    (NOBODY, 200, Service, 1, Some(237), 239, (100, 357)),
    (ALICE, 200, Service, 0, Some(135), 135, (602, 5042)),
    (NOBODY, 200, Service, 3, Some(185), 188, (436, 5183)),
    (ALICE, 200, Service, 2, Some(24), 27, (713, 4142)),
    (NOBODY, 200, Service, 1, Some(44), 45, (142, 1629)),
    (NOBODY, 500, Service, 11, Some(187), 198, (867, 1784)),
    (NOBODY, 500, Service, 1, Some(6), 7, (283, 1169)),
    (ALICE, 404, Kong, 1, None, 2, (164, 3456)),
    (ALICE, 200, Service, 3, Some(12), 15, (112, 5476)),
    (ALICE, 404, Kong, 19, None, 22, (261, 3999)),
    (ALICE, 200, Service, 0, Some(193), 195, (244, 2000)),
    (ALICE, 500, Kong, 3, None, 3, (61, 845)),
];

/// Milliseconds in Kong and total, bytes received and sent.
const SESSIONS: [(u32, u32, (u64, u64)); 3] =
    [(1, 29_791, (30_518, 31_500)), (0, 12_117, (15_776, 292_415)), (1, 1_565, (64_537, 128_371))];

fn node() -> Node {
    Node {
        id: "a33139d7-6ca6-4cd7-8d61-3db1b9c3efa5",
        pid: 817,
        lua_vm_bytes: LuaVmBytes { http: 59_012_962, stream: 31_462_109 },
        connections: Connections {
            accepted: 613,
            requests: 807,
            reading: 1,
            writing: 7,
            waiting: 30,
        },
        timers: Timers { pending: 7, running: 3 },
        shared: SHARED_DICTS,
        upstream_targets: &[],
    }
}

fn replayed() -> (Tally, Tally) {
    let mut http = Tally::default();
    for (consumer, code, source, kong_ms, upstream_ms, total_ms, (ingress, egress)) in REQUESTS {
        http.request(&Request {
            place: Place { service: "svc1", route: "route1" },
            consumer,
            code,
            source,
            kong_ms,
            upstream_ms,
            total_ms,
            bytes: Bytes { ingress, egress },
        });
    }
    let mut stream = Tally::default();
    for (kong_ms, total_ms, (ingress, egress)) in SESSIONS {
        stream.session(&Session {
            place: Place { service: "tcp1", route: "t1" },
            code: 200,
            source: Service,
            kong_ms,
            total_ms,
            bytes: Bytes { ingress, egress },
        });
    }
    (http, stream)
}

/// Compares line by line, so that a difference is readable.
fn assert_equal_pages(ours: &str, genuine: &str) {
    for (number, (ours, genuine)) in ours.lines().zip(genuine.lines()).enumerate() {
        assert_eq!(ours, genuine, "line {}", number + 1);
    }
    assert_eq!(ours.len(), genuine.len());
}

#[test]
fn the_old_page_is_what_kong_2_8_prints() {
    let (http, stream) = replayed();
    assert_equal_pages(
        &render::old(&node(), &http, &stream),
        include_str!("../../tests/captures/tiny/prometheus/kong-2.8.5.http_stream.txt"),
    );
}

#[test]
fn the_new_page_is_what_kong_3_9_prints() {
    let (http, stream) = replayed();
    assert_equal_pages(
        &render::new(&node(), &http, &stream),
        include_str!("../../tests/captures/tiny/prometheus/kong-3.9.1.http_stream.txt"),
    );
}

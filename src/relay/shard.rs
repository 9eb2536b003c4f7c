//! Distributes names among sinks.

use crate::statsd::Line;

/// Selects one of several sinks by name: the same name always goes to the same sink.
///
/// Rendezvous hashing: adding or removing a sink only remaps that sink's names. The result depends
/// only on the addresses of the sinks, so that several gateways with the same sinks agree.
#[derive(Clone, Debug)]
pub(super) struct Shards {
    seeds: Vec<u64>,
}

impl Shards {
    pub(super) fn new<'a>(sinks: impl Iterator<Item = &'a str>) -> Shards {
        Shards { seeds: sinks.map(|sink| hash(sink.as_bytes())).collect() }
    }

    /// The index of the sink for a line.
    pub(super) fn of_line(&self, line: &[u8]) -> usize {
        // An event has no name: hash the whole line.
        self.of_name(Line::parse(line).map_or(line, |line| line.name()))
    }

    fn of_name(&self, name: &[u8]) -> usize {
        let name = hash(name);
        let drawn = self.seeds.iter().map(|seed| mix(name ^ seed));
        let highest = drawn.enumerate().max_by_key(|(_, drawn)| *drawn);
        highest.map_or(0, |(sink, _)| sink)
    }
}

/// FNV-1a: fixed forever, unlike the hashes of libraries.
fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads the bits (the finalizer of `SplitMix64`): FNV's own are not even.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINKS: [&str; 4] = ["udp://a:8125", "udp://b:8125", "udp://c:8125", "udp://d:8125"];

    fn chosen(sinks: &[&'static str]) -> Vec<&'static str> {
        let shards = Shards::new(sinks.iter().copied());
        (0..4_000).map(|name| sinks[shards.of_name(format!("n.{name}").as_bytes())]).collect()
    }

    #[test]
    fn adding_and_removing_a_sink_moves_only_its_own_names() {
        let before = chosen(&SINKS[..3]);
        let after = chosen(&SINKS);
        let mut moved = 0;
        for (before, after) in before.iter().zip(&after) {
            if before != after {
                assert_eq!(*after, SINKS[3]);
                moved += 1;
            }
        }
        assert!((800..1_200).contains(&moved), "{moved} of 4,000");
    }

    #[test]
    fn the_order_of_sinks_does_not_matter() {
        let mut reversed = SINKS;
        reversed.reverse();
        assert_eq!(chosen(&SINKS), chosen(&reversed));
    }

    #[test]
    fn value_rate_and_tags_after_the_type_do_not_matter() {
        let shards = Shards::new(SINKS.iter().copied());
        let sink = shards.of_line(b"a.b:1|c");
        assert_eq!(shards.of_line(b"a.b:7|ms|@0.1|#k:v"), sink);
    }

    #[test]
    fn the_choice_is_the_same_in_every_release() {
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c); // the published value
        assert_eq!(mix(1), 0x5692_161d_100b_05e5);
    }
}

//! The names that were read of late.

use crate::mapping::statsd::{Cuts, LineRuleId, StatsdPlan, type_number};
use crate::statsd::first_eight;

/// Where the cuts of a name are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// With those of the last name that was not known.
    Last,
    /// With those of the other reading of a name.
    Rival,
    /// With a known name.
    Known(usize),
}

/// Names and types, and the rules found for them: a source sends the same names again and again, and comparing one costs a
/// third of finding out about it. Of one plan.
///
/// When there is no more room, all are forgotten: whoever makes up names costs a copy of each, and no memory. Names that
/// no rule reads are not kept: among them are those with tags in them, of which there are too many.
#[derive(Debug)]
pub(super) struct Recent {
    /// The entries by hash, counted from 1; 0 is none. Each has two places, of which a third one takes the first.
    places: Box<[u16; Self::PLACES]>,
    entries: Vec<Entry>,
    names: Vec<u8>,
    last: Cuts,
}

#[derive(Debug)]
struct Entry {
    /// Where the name lies in `names`.
    name: (usize, usize),
    metric_type: u64,
    rule: LineRuleId,
    cuts: Cuts,
}

impl Default for Recent {
    fn default() -> Self {
        Recent {
            places: Box::new([0; Self::PLACES]),
            entries: Vec::new(),
            names: Vec::new(),
            last: Cuts::default(),
        }
    }
}

impl Recent {
    const PLACES: usize = 4096;
    const MAX_ENTRIES: usize = 1024;
    const MAX_NAME_BYTES: usize = 128;

    /// Finds what [`StatsdPlan::find`] finds.
    #[inline]
    pub(super) fn find(
        &mut self,
        plan: &StatsdPlan,
        name: &[u8],
        metric_type: &[u8],
    ) -> Option<(LineRuleId, Place)> {
        let number = type_number(metric_type);
        let hash = hash(name, number);
        for place in [hash, hash ^ 1] {
            let Some(known) = usize::from(self.places[place]).checked_sub(1) else { break };
            let entry = &self.entries[known];
            let (start, end) = entry.name;
            if entry.metric_type == number && self.names[start..end] == *name {
                return Some((entry.rule, Place::Known(known)));
            }
        }
        self.find_out(plan, name, metric_type, hash)
    }

    #[inline(never)]
    fn find_out(
        &mut self,
        plan: &StatsdPlan,
        name: &[u8],
        metric_type: &[u8],
        hash: usize,
    ) -> Option<(LineRuleId, Place)> {
        let rule = plan.find(name, metric_type, None, &mut self.last)?;
        if name.len() <= Self::MAX_NAME_BYTES {
            if self.entries.len() == Self::MAX_ENTRIES {
                self.places.fill(0);
                self.entries.clear();
                self.names.clear();
            }
            let start = self.names.len();
            self.names.extend_from_slice(name);
            self.entries.push(Entry {
                name: (start, self.names.len()),
                metric_type: type_number(metric_type),
                rule,
                cuts: self.last.clone(),
            });
            let place =
                if self.places[hash] == 0 || self.places[hash ^ 1] != 0 { hash } else { hash ^ 1 };
            self.places[place] =
                u16::try_from(self.entries.len()).expect("there are not that many");
        }
        Some((rule, Place::Last))
    }

    /// The cuts of the name that was found there.
    #[inline]
    pub(super) fn cuts(&self, place: Place) -> &Cuts {
        match place {
            Place::Known(known) => &self.entries[known].cuts,
            Place::Last | Place::Rival => &self.last,
        }
    }
}

/// A place for a name and a type.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the upper bits depend on all others")]
fn hash(name: &[u8], metric_type: u64) -> usize {
    let mix =
        |hash: u64, eight: u64| (hash.rotate_left(29) ^ eight).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (eights, _) = name.as_chunks::<8>();
    let hash = eights.iter().fold(metric_type, |hash, eight| mix(hash, u64::from_le_bytes(*eight)));
    // Some of them once more, or all of a short one.
    let last =
        name.last_chunk().map_or_else(|| first_eight(name), |eight| u64::from_le_bytes(*eight));
    (mix(hash, last) >> 52) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::statsd::Capture;
    use crate::mapping::{Emit, Pack, StatsdSettings, compile_statsd};

    /// Twice as many names as there is room for, each several times and in between the others.
    #[test]
    fn what_is_known_is_what_would_be_found() {
        let pack = r#"
name: demo
statsd:
  - { old: "{app}.hits:c", new: "app.{app}.hits:c" }
  - { old: "{app}.hits", new: "app.{app}.hits" }
  - { old: "{app}.of.{user*}.hits", new: "app.{app}.of.{user*}.hit" }
"#;
        let pack = Pack::parse("demo.yaml", pack).unwrap_or_else(|faults| panic!("{faults}"));
        let plan = compile_statsd(&[pack], &StatsdSettings::new(Emit::New));
        let plan = plan.unwrap_or_else(|faults| panic!("{faults}"));
        let mut recent = Recent::default();
        let short = &[Capture::Head(0), Capture::Head(1)][..];
        let long = &[Capture::Head(0), Capture::Head(1), Capture::Many, Capture::Tail(0)][..];
        let mut known = 0;
        for n in (0..2048).chain(0..2048).flat_map(|n| [n, n, n / 2, n % 8]) {
            let user = "user".repeat(n % 64);
            for (name, metric_type, parts) in [
                (format!("a{n}.hits"), "c", short),
                (format!("a{n}.hits"), "ms", short),
                (format!("a{n}.hits"), "verylongtype", short),
                (format!("a.of.b{n}.{user}.hits"), "c", long),
                (format!("a{n}.misses"), "c", &[]),
            ] {
                let (name, metric_type) = (name.as_bytes(), metric_type.as_bytes());
                let mut cuts = Cuts::default();
                let expected = plan.find(name, metric_type, None, &mut cuts);
                let found = recent.find(&plan, name, metric_type);
                assert_eq!(found.map(|(rule, _)| rule), expected);
                let Some((_, place)) = found else { continue };
                known += usize::from(matches!(place, Place::Known(_)));
                for part in parts {
                    let is = recent.cuts(place).part(name, *part);
                    assert_eq!(is, cuts.part(name, *part), "{part:?} of {}", name.escape_ascii());
                }
            }
        }
        assert!(known > 4 * 2048, "{known} were known");
        assert!(recent.entries.capacity() <= Recent::MAX_ENTRIES);
        assert!(recent.names.len() <= Recent::MAX_ENTRIES * Recent::MAX_NAME_BYTES);
    }
}

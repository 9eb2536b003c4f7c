//! One sample as it is sorted: 24 bytes, in which comparing numbers is comparing windows, targets and
//! times.

/// One sample. Records are ordered by window, then instance, then time, then series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    /// The window and the instance.
    scrapes: u64,
    /// The time within the window, and the series.
    sample: u64,
    /// The bits of the value.
    value: u64,
}

/// The size of a record in a file.
pub(super) const BYTES: usize = 24;

/// A window of time, as all windows are numbered from 1970. Windows are at most 2^32 ms long.
pub(super) type Window = u32;

impl Record {
    /// A sample of a series, `offset` milliseconds after the start of its window.
    pub(super) fn new(
        window: Window,
        instance: u32,
        offset: u32,
        series: u32,
        value: f64,
    ) -> Record {
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        Record {
            scrapes: pair(window, instance),
            sample: pair(offset, series),
            value: value.to_bits(),
        }
    }

    pub(super) fn window(self) -> Window {
        high(self.scrapes)
    }

    /// The window, the instance and the time: equal for all samples of one scrape.
    pub(super) fn scrape(self) -> (u64, u32) {
        (self.scrapes, high(self.sample))
    }

    /// Milliseconds since the start of the window.
    pub(super) fn offset(self) -> u32 {
        high(self.sample)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn series(self) -> u32 {
        self.sample as u32
    }

    pub(super) fn value(self) -> f64 {
        f64::from_bits(self.value)
    }

    pub(super) fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        for (place, number) in
            bytes.chunks_exact_mut(8).zip([self.scrapes, self.sample, self.value])
        {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; BYTES]) -> Record {
        let number = |at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().expect("they are eight bytes"))
        };
        Record { scrapes: number(0), sample: number(8), value: number(16) }
    }
}

fn high(pair: u64) -> u32 {
    (pair >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_ordered_by_window_instance_time_and_series() {
        let ascending = [
            Record::new(0, u32::MAX, 0, 0, 9.0),
            Record::new(1, 0, 5, 9, 9.0),
            Record::new(1, 0, 6, 1, 9.0),
            Record::new(1, 0, 6, 2, 1.0),
            Record::new(1, 2, 0, 0, 0.0),
            Record::new(2, 1, 0, 0, 0.0),
        ];
        assert!(ascending.is_sorted());
        for record in ascending {
            assert_eq!(Record::from_bytes(record.to_bytes()), record);
        }
        let record = Record::new(3, 4, 5, 6, -0.5);
        assert_eq!((record.window(), record.offset(), record.series()), (3, 5, 6));
        assert!(record.value() < 0.0);
        assert_ne!(record.scrape(), Record::new(3, 5, 5, 6, -0.5).scrape());
    }
}

//! Sorts more records than fit in memory: sorted runs on disk, which are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::vec;

use super::record::{self, Record};

/// How much of a run is read or written at a time.
const BUFFER_BYTES: usize = 1 << 18;

/// Takes records in any order and returns them sorted.
#[derive(Debug)]
pub(super) struct Sorter {
    folder: PathBuf,
    /// The number of records that are sorted in memory.
    capacity: usize,
    records: Vec<Record>,
    runs: Vec<File>,
}

impl Sorter {
    /// A sorter that needs `memory` bytes, and writes files without a name to `folder`: the operating
    /// system removes them even after a crash.
    pub(super) fn new(folder: PathBuf, memory: u64) -> Sorter {
        let capacity = usize::try_from(memory).unwrap_or(usize::MAX) / size_of::<Record>();
        Sorter { folder, capacity: capacity.max(1), records: Vec::new(), runs: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    ///
    /// The run cannot be written.
    #[inline]
    pub(super) fn push(&mut self, record: Record) -> io::Result<()> {
        if self.records.len() == self.capacity {
            self.write_run()?;
        }
        if self.records.len() == self.records.capacity() {
            // Doubling would pass the limit.
            let more = self.records.len().max(1 << 12).min(self.capacity - self.records.len());
            self.records.reserve_exact(more);
        }
        self.records.push(record);
        Ok(())
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.records.sort_unstable();
        let mut file = tempfile::tempfile_in(&self.folder)?;
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, &mut file);
        for record in self.records.drain(..) {
            writer.write_all(&record.to_bytes())?;
        }
        writer.flush()?;
        drop(writer);
        self.runs.push(file);
        Ok(())
    }

    /// All records that were added, in order. The sorter is empty then.
    ///
    /// # Errors
    ///
    /// A run cannot be read back.
    pub(super) fn sorted(&mut self) -> io::Result<Sorted> {
        let mut last = std::mem::take(&mut self.records);
        last.sort_unstable();
        let mut sorted =
            Sorted { last: last.into_iter(), runs: Vec::new(), next: BinaryHeap::new() };
        for mut file in self.runs.drain(..) {
            file.rewind()?;
            sorted.runs.push(BufReader::with_capacity(BUFFER_BYTES, file));
        }
        for run in 0..=sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }
}

/// Records in order.
#[derive(Debug)]
pub(super) struct Sorted {
    runs: Vec<BufReader<File>>,
    /// The run that never was on disk.
    last: vec::IntoIter<Record>,
    /// The next record of each run. The number of `last` is that of the runs.
    next: BinaryHeap<Reverse<(Record, usize)>>,
}

impl Sorted {
    /// The next record.
    ///
    /// # Errors
    ///
    /// A run cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse((record, run))) = self.next.pop() else { return Ok(None) };
        self.advance(run)?;
        Ok(Some(record))
    }

    /// Reads the next record of a run.
    fn advance(&mut self, run: usize) -> io::Result<()> {
        let record = match self.runs.get_mut(run) {
            None => self.last.next(),
            Some(file) => {
                let mut bytes = [0; record::BYTES];
                match file.read_exact(&mut bytes) {
                    Ok(()) => Some(Record::from_bytes(bytes)),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
                    Err(error) => return Err(error),
                }
            }
        };
        self.next.extend(record.map(|record| Reverse((record, run))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(memory: u64, records: &[Record]) -> (usize, Vec<Record>) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sorter = Sorter::new(folder.path().to_owned(), memory);
        for &record in records {
            sorter.push(record).expect("the folder is writable");
        }
        let runs = sorter.runs.len();
        let mut sorted = sorter.sorted().expect("the runs can be read");
        let mut all = Vec::new();
        while let Some(record) = sorted.next().expect("the runs can be read") {
            all.push(record);
        }
        (runs, all)
    }

    #[test]
    fn records_are_sorted_in_memory_and_on_disk() {
        let records: Vec<Record> =
            (0..1_000).map(|n| Record::new(n % 3, n % 7, n * 37 % 50, n, f64::from(n))).collect();
        let mut expected = records.clone();
        expected.sort_unstable();
        for (capacity, runs) in [(1_000, 0), (999, 1), (100, 9), (1, 999), (0, 999)] {
            assert_eq!(sorted(capacity * 24, &records), (runs, expected.clone()), "{capacity}");
        }
        assert_eq!(sorted(240, &[]), (0, Vec::new()));
    }
}

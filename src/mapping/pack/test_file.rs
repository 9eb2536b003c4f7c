//! Files with test cases: packs, and files that have only tests and name the packs they need.

use super::Pack;
use super::check::Check;
use super::keys;
use super::test_case::PackTest;
use crate::document::{Diagnostics, Limits, Location, Source, parse_one};

/// The test cases of one file.
#[derive(Debug)]
pub enum TestFile {
    /// The file is a pack with its own tests.
    Pack(Box<Pack>),
    /// The file contains only tests.
    Tests {
        /// The packs that the tests need: paths and names of shipped packs.
        packs: Vec<(String, Location)>,
        /// The tests.
        tests: Vec<PackTest>,
    },
}

impl TestFile {
    /// Parses a pack, or a file that has only tests. Diagnostics name the file `file_name`.
    ///
    /// # Errors
    ///
    /// Every error in the file.
    ///
    /// ```
    /// use crossfade::mapping::TestFile;
    ///
    /// let text = "tests: [{ name: t, emit: new, scrape: 'up 1', series: 'up 1' }]";
    /// let TestFile::Tests { tests, .. } = TestFile::parse("tests.yaml", text)? else {
    ///     panic!("the file is not a pack");
    /// };
    /// assert_eq!(tests[0].name, "t");
    /// # Ok::<(), crossfade::document::Diagnostics>(())
    /// ```
    pub fn parse(file_name: &str, text: &str) -> Result<TestFile, Diagnostics> {
        let source = Source::new(file_name, text);
        let document = parse_one(&source, Limits::WRITTEN)?;
        if keys::has_key(&document, &["name", "prometheus", "statsd"]) {
            return Pack::parse(file_name, text).map(|pack| TestFile::Pack(Box::new(pack)));
        }
        let span = document.span();
        let mut check = Check::new(&source);
        let file = keys::read_test_file(document, &mut check.reader);
        if file.tests.is_empty() && check.reader.is_clean() {
            check.error(span, "no test case", "list them under `tests`");
        }
        let packs = file.packs.into_iter().map(|pack| (pack.text, source.location(pack.span)));
        let packs = packs.collect();
        let tests = file.tests.into_iter();
        let tests = tests.filter_map(|test| PackTest::from_keys(test, &mut check)).collect();
        let errors = check.reader.finish();
        if errors.0.is_empty() { Ok(TestFile::Tests { packs, tests }) } else { Err(errors) }
    }
}

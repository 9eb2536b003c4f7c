//! Results of test cases in the `JUnit` format, which CI systems display.

use std::fmt::Write as _;
use std::time::Duration;

use super::file_result::{FileResult, failures};

/// The report as XML.
pub(super) fn report(all: &[FileResult]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    write(all, &mut text).expect("writing to a String cannot fail");
    text
}

fn write(all: &[FileResult], to: &mut String) -> std::fmt::Result {
    writeln!(to, "<testsuites>")?;
    for FileResult { file, outcomes } in all {
        let file = attribute(file);
        match outcomes {
            Ok(outcomes) => {
                let failed = outcomes.iter().filter(|it| !it.failures.is_empty()).count();
                let took: Duration = outcomes.iter().map(|it| it.took).sum();
                writeln!(
                    to,
                    "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\">",
                    outcomes.len(),
                    took.as_secs_f64()
                )?;
                for outcome in outcomes {
                    write!(
                        to,
                        "    <testcase name=\"{}\" classname=\"{file}\" file=\"{file}\" line=\"{}\" time=\"{:.3}\"",
                        attribute(&outcome.name),
                        outcome.place.line,
                        outcome.took.as_secs_f64()
                    )?;
                    if outcome.failures.is_empty() {
                        writeln!(to, "/>")?;
                    } else {
                        let reasons = escaped(&failures(outcome));
                        writeln!(
                            to,
                            ">\n      <failure message=\"not as expected\">{reasons}</failure>\n    </testcase>"
                        )?;
                    }
                }
            }
            Err(errors) => {
                writeln!(
                    to,
                    "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"1\" time=\"0\">\n    \
                     <testcase name=\"the file can be used\" classname=\"{file}\" file=\"{file}\">\n      \
                     <error message=\"the file cannot be used\">{}</error>\n    </testcase>",
                    escaped(&errors.to_string())
                )?;
            }
        }
        writeln!(to, "  </testsuite>")?;
    }
    writeln!(to, "</testsuites>")
}

/// Text within an element. Characters that XML does not allow become a replacement character.
fn escaped(text: &str) -> String {
    let legal = |c: char| if c.is_control() && !"\n\t".contains(c) { '\u{fffd}' } else { c };
    let text: String = text.chars().map(legal).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn attribute(text: &str) -> String {
    escaped(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(attribute("a\"<b>&\n\u{1b}ü"), "a&quot;&lt;b&gt;&amp;&#10;\u{fffd}ü");
        assert_eq!(escaped("]]> \"x\"\n"), "]]&gt; \"x\"\n");
    }
}

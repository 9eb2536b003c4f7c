//! The boundaries of buckets that both generations have.

use super::expression::regex_of;
use super::options::Spelling;
use crate::mapping::{Boundary, Layouts, Scale};

/// The last boundary of every histogram.
pub(super) const INFINITE: &str = "+Inf";

/// A regular expression whose group is a whole number without leading zeros, and without a zero after
/// the point.
pub(super) const WITHOUT_ZEROS: &str = "0*([0-9]+)(?:\\.0)?";

/// The buckets of a histogram that a rule can record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Buckets {
    /// Each boundary as it is read.
    read: Vec<f64>,
    /// A target writes leading zeros.
    are_padded: bool,
    /// The same boundaries as they are written.
    pub(super) written: Vec<String>,
    /// How `le` gets the written spelling.
    pub(super) respelling: Respelling,
    /// The number of boundaries of the written layout.
    pub(super) of: usize,
}

/// How the spelling of `le` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Respelling {
    /// Not at all.
    Kept,
    /// Leading zeros, and zeros after the point, are removed.
    WithoutZeros,
    /// There is a recording rule for each boundary, because the numbers or other texts change.
    Each,
}

impl Buckets {
    /// The buckets of the boundaries that are written, `common`, out of a layout with `of`. `read` has
    /// the spellings of all editions of the generation read, and `scale` is the factor from it.
    pub(super) fn new(
        common: &[Boundary],
        of: usize,
        read: Option<&Layouts>,
        scale: Option<Scale>,
        spelling: Spelling,
    ) -> Buckets {
        let scale = scale.filter(|scale| !scale.is_one());
        let unscaled = |bound: f64| scale.map_or(bound, |scale| scale.inverse().of(bound));
        let written: Vec<String> = common.iter().map(|it| written_text(it, spelling)).collect();
        let is_kept = common.iter().zip(&written).all(|(boundary, text)| match spelling {
            Spelling::Float => true,
            Spelling::AsExported => {
                read.is_some_and(|all| all.spellings(boundary.bound).all(|its| its == text))
            }
        });
        let is_whole = |text: &String| {
            !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let respelling = if scale.is_some() {
            Respelling::Each
        } else if is_kept {
            Respelling::Kept
        } else if written.iter().all(is_whole) {
            Respelling::WithoutZeros
        } else {
            Respelling::Each
        };
        let bounds: Vec<f64> = common.iter().map(|it| unscaled(it.bound)).collect();
        let is_padded = |text: &str| text.starts_with('0') && !text.starts_with("0.");
        let mut spellings =
            bounds.iter().flat_map(|it| read.into_iter().flat_map(|all| all.spellings(*it)));
        let are_padded = spellings.any(|text| text != "0" && is_padded(text));
        Buckets { read: bounds, are_padded, written, respelling, of }
    }

    /// A regular expression for the boundaries read, with `+Inf`.
    pub(super) fn all_read(&self) -> String {
        let is_whole =
            |it: &&f64| it.fract() == 0.0 && **it > 0.0 && !float_text(**it).contains('e');
        let whole: Vec<String> =
            self.read.iter().filter(is_whole).map(|it| format!("{it}")).collect();
        let others = self.read.iter().filter(|it| !is_whole(it)).map(|it| any_spelling(*it));
        let zeros = if self.are_padded { "0*" } else { "" };
        let whole = match &whole[..] {
            [] => None,
            [only] => Some(format!("{zeros}{only}(\\.0)?")),
            all => Some(format!("{zeros}({})(\\.0)?", all.join("|"))),
        };
        let all: Vec<String> =
            whole.into_iter().chain(others).chain([regex_of(INFINITE)]).collect();
        all.join("|")
    }

    /// A regular expression for the boundary that is written with this text.
    pub(super) fn read_of(&self, written: &str) -> Option<String> {
        if written == INFINITE {
            return Some(regex_of(INFINITE));
        }
        let mut all = self.written.iter().zip(&self.read);
        all.find(|(its, _)| *its == written).map(|(_, read)| any_spelling(*read))
    }

    /// Whether every boundary of the written layout is recorded.
    pub(super) fn are_all(&self) -> bool {
        self.written.len() == self.of
    }
}

/// The label `le` as it is stored.
fn written_text(boundary: &Boundary, spelling: Spelling) -> String {
    match spelling {
        Spelling::AsExported => boundary.text.to_string(),
        Spelling::Float => float_text(boundary.bound),
    }
}

/// A number as Prometheus 3 stores it in `le`: `25.0`, `0.5`, `1e+06`.
fn float_text(bound: f64) -> String {
    let (digits, exponent) = scientific(bound);
    // As `strconv.FormatFloat(number, 'g', -1, 64)` of Go decides.
    if !(-4..6).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let (sign, size) = (if bound < 0.0 { "-" } else { "" }, exponent.abs());
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{direction}{size:02}");
    }
    let text = format!("{bound}");
    if text.contains('.') { text } else { text + ".0" }
}

/// The significant digits of a number, and the power of ten of the first one.
fn scientific(number: f64) -> (String, i32) {
    let text = format!("{:e}", number.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// A regular expression for all spellings of a number: `25`, `25.0`, `00025.0`, `2.5e+01`.
fn any_spelling(bound: f64) -> String {
    let text = format!("{bound}");
    let (sign, text) = text.strip_prefix('-').map_or(("", &*text), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    // A boundary below 1 begins with `0.` or `.`, and 0 itself has a digit.
    let whole = if whole.is_empty() && fraction.is_empty() { "0" } else { whole };
    let after = if fraction.is_empty() { "(\\.0)?".to_owned() } else { format!("\\.{fraction}") };
    let regex = format!("{sign}0*{whole}{after}");
    let float = float_text(bound);
    if float.contains('e') { format!("{regex}|{}", regex_of(&float)) } else { regex }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn numbers_as_prometheus_stores_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (25.0, "25.0"),
            (0.005, "0.005"),
            (0.00001, "1e-05"),
            (0.0001, "0.0001"),
            (100_000.0, "100000.0"),
            (2.5, "2.5"),
            (60000.0, "60000.0"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (12_500_000.0, "1.25e+07"),
            (-1.5, "-1.5"),
        ] {
            assert_eq!(float_text(number), text);
        }
    }

    #[test]
    fn any_spelling_of_a_number_matches_and_no_other_number() {
        for (number, same, others) in [
            (25.0, &["25", "25.0", "00025.0"][..], &["2.5", "250", "25.01", "125"][..]),
            (0.5, &["0.5", ".5", "00000.5"], &["0.05", "5", "0.55"]),
            (0.0, &["0", "0.0", "00000.0"], &["", ".0", "0.1"]),
            (1e6, &["1000000", "1e+06", "1000000.0"], &["1e+07", "100000"]),
            (-1.0, &["-1", "-1.0"], &["1"]),
        ] {
            let regex = Regex::new(&format!("^(?:{})$", any_spelling(number))).expect("a regex");
            for text in same {
                assert!(regex.is_match(text), "{number} {text}");
            }
            for text in others {
                assert!(!regex.is_match(text), "{number} {text}");
            }
        }
    }
}

//! How the possible error of estimated bucket counts is worded, in all tools.

use crate::exposition::write_number;
use crate::mapping::Boundary;
use crate::rewrite::exposition::{EstimatedCount, ExactCount};

/// Why the error of an estimated count has a limit.
pub(super) const BETWEEN: &str =
    "each is between the counts of the two exact boundaries next to it";

/// The largest error of a quantile over estimated counts, or over counts at other boundaries. `None`
/// if fewer than two boundaries are exact.
pub(super) fn quantile_bound(exact: &[&Boundary]) -> Option<String> {
    let (first, last) = (exact.first()?, exact.last()?);
    let factor = |pair: &[&Boundary]| pair[1].bound / pair[0].bound;
    // From the end, so that the first of several equal factors is named.
    let widest = exact.windows(2).rev();
    let widest = widest.max_by(|a, b| factor(a).total_cmp(&factor(b)))?;
    let texts: Vec<&str> = exact.iter().map(|it| &*it.text).collect();
    Some(format!(
        "the exact boundaries are {}, and the quantile stays between the two next to it, so it can \
         be off by up to a factor of {} ({} to {}), and by more below {} and above {}",
        texts.join(" "),
        (factor(widest) * 100.0).round() / 100.0,
        widest[0].text,
        widest[1].text,
        first.text,
        last.text
    ))
}

/// The largest error of estimated counts: of one series, and of a sum over all series. Both are
/// fractions of the observations.
#[must_use]
pub fn at_most_wrong(of_series: f64, of_sum: f64) -> String {
    format!(
        "{BETWEEN}, so it is wrong by at most {} of the observations of its series ({} over all \
         series)",
        percent(of_series),
        percent(of_sum)
    )
}

/// One estimated count with the exact ones next to it. `None` if it cannot be wrong, because they
/// are equal.
#[must_use]
pub fn estimate_text(estimate: &EstimatedCount) -> Option<String> {
    let error = match (estimate.too_low(), estimate.too_high()) {
        (low, high) if low > 0.0 && high > 0.0 => {
            format!("{} too low or {} too high", number(low), number(high))
        }
        (low, _) if low > 0.0 => format!("{} too low", number(low)),
        (_, high) if high > 0.0 => format!("{} too high", number(high)),
        _ => return None,
    };
    Some(format!(
        "le=\"{}\" estimated between {} and {}: {}, at most {error}",
        estimate.le,
        exact(&estimate.below),
        exact(&estimate.above),
        number(estimate.count)
    ))
}

fn exact(count: &ExactCount) -> String {
    let ExactCount { le, count } = count;
    match le {
        Some(le) => format!("le=\"{le}\" ({})", number(*count)),
        None => number(*count),
    }
}

fn number(number: f64) -> String {
    let mut text = Vec::new();
    write_number(number, &mut text);
    String::from_utf8(text).expect("numbers are ASCII")
}

/// A fraction as a percentage.
pub(super) fn percent(part: f64) -> String {
    let percent = part * 100.0;
    if percent >= 10.0 || percent == 0.0 {
        format!("{percent:.0} %")
    } else if percent >= 0.01 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1e} %")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_names_its_neighbours_and_its_error() {
        let exact = |le: Option<&str>, count| ExactCount { le: le.map(str::to_owned), count };
        let text = |below, count, above| {
            estimate_text(&EstimatedCount { le: "40".to_owned(), count, below, above })
        };
        let between = |count| text(exact(Some("25"), 120.0), count, exact(Some("50"), 180.0));
        let start = "le=\"40\" estimated between le=\"25\" (120) and le=\"50\" (180): ";
        let expected = format!("{start}148, at most 32 too low or 28 too high");
        assert_eq!(between(148.0), Some(expected));
        assert_eq!(between(120.0), Some(format!("{start}120, at most 60 too low")));
        assert_eq!(between(180.0), Some(format!("{start}180, at most 60 too high")));
        assert_eq!(
            text(exact(None, 0.0), 3.0, exact(Some("50"), 4.5)).as_deref(),
            Some(
                "le=\"40\" estimated between 0 and le=\"50\" (4.5): 3, at most 1.5 too low or 3 too high"
            )
        );
        assert_eq!(text(exact(Some("25"), 7.0), 7.0, exact(Some("50"), 7.0)), None);
    }
}

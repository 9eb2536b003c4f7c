//! The types of the samples of a rule, and what they allow.

use std::collections::BTreeMap;

use crate::document::Scalar;
use crate::exposition::MetricType;
use crate::mapping::pack::check::Check;
use crate::mapping::pack::exposition::selector::{Selector, Term};
use crate::mapping::pack::exposition::translation::ValueTranslation;
use crate::mapping::pack::keys::PerGeneration;

/// The types of both sides. The second is `None` if it is the first.
type Types = [Option<MetricType>; 2];

/// The type with the most demands, and where it is.
fn demanding(types: Types, words: &PerGeneration<Option<Scalar>>) -> Option<(MetricType, &Scalar)> {
    let [old, new] = types;
    let all = [old.zip(words.old.as_ref()), new.zip(words.new.as_ref())];
    let gauge = all.into_iter().flatten().find(|(its, _)| *its == MetricType::Gauge);
    gauge.or(all[0])
}

impl Check<'_> {
    /// Checks the types against the keys that are for one type only.
    pub(super) fn type_fits_rule(
        &mut self,
        types: Types,
        words: &PerGeneration<Option<Scalar>>,
        has_buckets: bool,
        merge: Option<&Scalar>,
    ) {
        if let (true, Some(word)) = (has_buckets, merge) {
            self.merge_of_histogram(word);
        }
        if let Some((metric_type, word)) = demanding(types, words) {
            self.type_fits(metric_type, word, has_buckets, merge.is_some());
        }
    }

    /// Checks, for a rule without `merge`, that no series become equal that cannot be summed.
    pub(super) fn type_is_joinable(
        &mut self,
        types: Types,
        words: &PerGeneration<Option<Scalar>>,
        [old, new]: [(&Selector, &Scalar); 2],
        (values, optional): (&BTreeMap<String, ValueTranslation>, &[String]),
    ) {
        if let Some((metric_type, word)) = demanding(types, words) {
            self.joinable(metric_type, old, new);
            self.values_joinable(metric_type, word, values, optional);
        }
    }

    fn merge_of_histogram(&mut self, word: &Scalar) {
        self.error(
            word.span,
            "`merge` is for gauges, and `buckets` makes this a histogram",
            "remove `merge`: histograms are summed",
        );
    }

    /// Checks `type` against the keys that are for one type only.
    fn type_fits(
        &mut self,
        metric_type: MetricType,
        word: &Scalar,
        has_buckets: bool,
        has_merge: bool,
    ) {
        let (key, expected) = match (has_buckets, has_merge) {
            (true, _) => ("buckets", MetricType::Histogram),
            (false, true) => ("merge", MetricType::Gauge),
            (false, false) => return,
        };
        if expected != metric_type {
            self.error(
                word.span,
                format!(
                    "`{key}` is for {}s, and this is a {}",
                    expected.as_str(),
                    metric_type.as_str()
                ),
                format!("remove `{key}`, or correct `type`"),
            );
        }
    }

    /// The type of the old samples, and that of the new ones if it is another one.
    pub(super) fn metric_types(
        &mut self,
        words: &PerGeneration<Option<Scalar>>,
    ) -> (Option<MetricType>, Option<MetricType>) {
        let Some(old_word) = &words.old else { return (None, None) };
        let old = self.metric_type(old_word);
        let Some(new_word) = words.new.as_ref().filter(|its| its.text != old_word.text) else {
            return (old, None);
        };
        let new = self.metric_type(new_word);
        let is_number = |its: MetricType| {
            matches!(its, MetricType::Counter | MetricType::Gauge | MetricType::Untyped)
        };
        if let (Some(old), Some(new)) = (old, new)
            && !(is_number(old) && is_number(new))
        {
            self.error(
                new_word.span,
                format!("a {} cannot become a {}", old.as_str(), new.as_str()),
                "only `counter`, `gauge` and `untyped` can become each other",
            );
        }
        (old, new)
    }

    fn metric_type(&mut self, word: &Scalar) -> Option<MetricType> {
        let words = [
            MetricType::Counter,
            MetricType::Gauge,
            MetricType::Histogram,
            MetricType::Summary,
            MetricType::Untyped,
        ];
        let words = words.map(|metric_type| (metric_type.as_str(), metric_type));
        self.one_of(word, "a metric type", &words)
    }

    /// Series that lose a label can become equal. Counters and histograms are then summed. For
    /// gauges the pack must set `merge`, and summaries cannot be merged.
    fn joinable(
        &mut self,
        metric_type: MetricType,
        old: (&Selector, &Scalar),
        new: (&Selector, &Scalar),
    ) {
        let lost = [old, new].into_iter().find_map(|(selector, text)| {
            let item = selector.items.iter().find(|item| item.term == Term::Bare)?;
            Some((item, text))
        });
        let Some((item, text)) = lost else { return };
        let label = &item.label;
        let span = self.item(text, item);
        match metric_type {
            MetricType::Gauge => self.error(
                span,
                format!("gauges that lose `{label}` may become equal, and `merge` does not select a value"),
                "add `merge: max`, `merge: min` or `merge: sum`",
            ),
            MetricType::Summary => self.error(
                span,
                format!("summaries that lose `{label}` may become equal, and quantiles cannot be added up"),
                format!("do not name `{label}`, so that it passes through"),
            ),
            MetricType::Counter
            | MetricType::Histogram
            | MetricType::Untyped
            | MetricType::Info
            | MetricType::Other => {}
        }
    }
}

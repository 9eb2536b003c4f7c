//! How an exposition is rewritten.

use std::fmt::Write as _;
use std::io::BufWriter;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::arguments::Arguments;
use super::json_report::JsonReport;
use super::report::Report;
use super::source::Source;
use super::text_report::TextReport;
use crate::cli::check::Format;
use crate::mapping::{self, Pack, Plan};
use crate::rewrite::exposition::{
    DropReason, Explainer, Fate, History, Line, Options, Outline, Progress, Rewriter, Survey,
};

/// An exposition, and how it is rewritten.
struct Scrape<'a> {
    source: &'a Source<'a>,
    plan: &'a Arc<Plan>,
    options: Options,
    /// The family to explain. `None`: all of them.
    family: Option<&'a str>,
}

/// Explains an exposition. `name`: that of the input, if the lines are not arguments.
pub(super) fn run(
    arguments: &Arguments,
    packs: &[Pack],
    name: Option<&str>,
    source: &Source<'_>,
) -> anyhow::Result<ExitCode> {
    let settings = arguments.rewriting.conversion.settings(arguments.emit.emit);
    let plan = &Arc::new(mapping::compile(packs, &settings)?);
    let options = Options { format: source.format(), ..arguments.rewriting.options() };
    let family = arguments.family.as_deref();
    let scrape = Scrape { source, plan, options, family };
    let outline = match name {
        Some(name) => scrape.outline().with_context(|| name.to_owned())?,
        None => scrape.outline()?,
    };
    if let Some(family) = family.filter(|_| outline.stages()[0].is_empty()) {
        let name = name.unwrap_or("stdin");
        if !has_rule(plan, family) {
            bail!("--family={family}: no pack has a rule for this family, and {name} lacks it");
        }
        eprintln!("{}", without_samples(plan, name, family));
    }
    let is_accepted = match arguments.format {
        Format::Json => {
            let to = BufWriter::new(std::io::stdout().lock());
            scrape.explain(&outline, &mut JsonReport::new(to))?
        }
        Format::Text => {
            let to = anstream::stdout().lock();
            scrape.explain(&outline, &mut TextReport::new(to, family.is_some()))?
        }
    };
    if let Some(name) = name.filter(|_| family.is_none() && !is_accepted) {
        bail!("{name} has no sample; expected the response of a metrics endpoint");
    }
    Ok(ExitCode::SUCCESS)
}

impl Scrape<'_> {
    fn outline(&self) -> anyhow::Result<Outline> {
        let mut survey = Survey::new(self.plan, self.options, &History::default(), self.family);
        let mut output = Vec::new();
        self.source.read(|chunk| {
            output.clear();
            Ok(survey.push(chunk, &mut output)?)
        })?;
        while survey.finish(&mut output)? == Progress::More {
            output.clear();
        }
        Ok(survey.into_outline())
    }

    /// Writes the explanation. Returns whether it has a line that Prometheus accepts.
    fn explain(&self, outline: &Outline, to: &mut impl Report) -> anyhow::Result<bool> {
        let is_accepted = self.explain_stage((outline, 0), to)?;
        self.write_output(to)?;
        for stage in 1..outline.stages().len() {
            self.explain_stage((outline, stage), to)?;
        }
        to.end()?;
        Ok(is_accepted)
    }

    fn explain_stage(
        &self,
        (outline, stage): (&Outline, usize),
        to: &mut impl Report,
    ) -> anyhow::Result<bool> {
        let place = (outline, stage);
        let outline = &outline.stages()[stage];
        let history = History::default();
        let mut explainer = Explainer::new(place, self.plan, self.options, &history, self.family);
        let (mut lines, mut series) = (Vec::new(), Vec::new());
        let mut is_accepted = false;
        to.begin_stage(outline)?;
        self.source.read(|chunk| {
            explainer.push(chunk, &mut lines)?;
            is_accepted |= lines.iter().any(|line| !is_refused(line));
            lines.drain(..).try_for_each(|line| to.line(outline, line))?;
            Ok(())
        })?;
        loop {
            let progress = explainer.finish(&mut lines, &mut series)?;
            is_accepted |= lines.iter().any(|line| !is_refused(line));
            lines.drain(..).try_for_each(|line| to.line(outline, line))?;
            series.drain(..).try_for_each(|series| to.series(outline, &series))?;
            if progress == Progress::Done {
                break;
            }
        }
        to.end_stage(outline)?;
        Ok(is_accepted)
    }

    /// Writes the output of the gateway, if the report contains it.
    fn write_output<R: Report>(&self, to: &mut R) -> anyhow::Result<()> {
        if !R::HAS_OUTPUT {
            return Ok(());
        }
        let mut rewriter = Rewriter::new(Arc::clone(self.plan), self.options, History::default());
        let mut output = Vec::new();
        self.source.read(|chunk| {
            rewriter.push(chunk, &mut output)?;
            to.output(&output)?;
            output.clear();
            Ok(())
        })?;
        loop {
            let progress = rewriter.finish(&mut output)?;
            to.output(&output)?;
            output.clear();
            if progress == Progress::Done {
                return Ok(());
            }
        }
    }
}

/// Whether Prometheus would refuse a line.
fn is_refused(line: &Line) -> bool {
    matches!(line.fate, Fate::Dropped(DropReason::Malformed(_)) | Fate::Refused(_))
}

/// Whether a pack has a rule for a family.
fn has_rule(plan: &Plan, family: &str) -> bool {
    let family = family.as_bytes();
    plan.stages().any(|plan| {
        plan.families.contains_key(family)
            || plan.outputs.iter().any(|output| *output.name == *family)
            || !plan.patterns.concerning(family).is_empty()
    })
}

/// What rules would do with a family that the input does not have.
fn without_samples(plan: &Plan, input: &str, family: &str) -> String {
    let mut text = format!("{input} has no sample of `{family}`");
    let name = family.as_bytes();
    let writes = |rule: &mapping::plan::exposition::Rule| {
        let redirects = rule.redirects.iter().map(|redirect| redirect.to);
        redirects.chain([rule.to]).any(|to| *plan.output(to).name == *name)
    };
    let named = plan.rules.iter().filter(|rule| *rule.from == *name || writes(rule));
    let patterns = plan.patterns.concerning(name).into_iter().map(|id| plan.rule(id));
    for rule in named.chain(patterns) {
        write!(text, "\n    rule {} {}", rule.source, rule.title).expect("a String is writable");
    }
    text
}

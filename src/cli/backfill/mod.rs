//! `crossfade backfill`: writes the samples that a database has of one generation in the other.

mod advice;
mod arguments;
mod folder;
mod prometheus;
mod range;
mod state;
mod summary;

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};

use super::input;
use super::progress::Progress;
use crate::mapping::{self, Emitted};
use crate::packs;
use crate::tools::backfill::{
    Backfill, Discard, Existing, Ignored, ImportLines, OpenMetrics, Options, Output, Portion,
    read_samples,
};
use advice::advised;
pub(super) use arguments::Arguments;
use arguments::OutputFormat;
use folder::Folder;
use prometheus::Prometheus;
use state::State;

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let range = arguments.range.resolve(arguments.prometheus.is_some())?;
    let packs = packs::load(&arguments.packs)?;
    mapping::two_generations(&packs)?;
    let to =
        Emitted::new(arguments.to, &packs).map_err(|error| anyhow::anyhow!("--to: {error}"))?;
    if to.generation().is_none() {
        bail!("--to=both: samples are written in one generation, `old` or `new`");
    }
    let plan = Arc::new(mapping::compile(&packs, &arguments.settings())?);
    let mut folder = match &arguments.output {
        Some(output) => Some(Folder::open(output, &arguments.identity()?)?),
        None => None,
    };
    let options = options(arguments, &range)?;
    let mut run = Run {
        backfill: Backfill::new(plan, options.clone()),
        window: options.window,
        format: arguments.format,
        progress: Progress::new(),
        is_live: arguments.prometheus.is_some(),
        files: 0,
        before: 0,
    };
    if let Some(folder) = &mut folder
        && let Some(State { done_until, totals, histories, files }) = folder.take_state()
    {
        run.backfill.resume(done_until, totals, histories);
        run.files = files;
        run.before = run.backfill.totals().samples_in;
    }
    let ignored = match &arguments.prometheus {
        None => run.file(arguments, folder.as_mut())?,
        Some(url) => {
            let prometheus = Prometheus::new(url, arguments, &run.backfill.names())?;
            run.prometheus(&prometheus, range, folder.as_mut())?
        }
    };
    if let Some(folder) = &mut folder {
        folder.complete(&run.state(i64::MAX))?;
    }
    run.progress.clear();
    let text = summary::summary(arguments, run.backfill.totals(), &ignored, run.files);
    std::io::stderr().write_all(text.as_bytes()).context("cannot write the summary")?;
    if run.backfill.totals().samples_in == 0 {
        bail!(
            "no sample of a family that a pack names is in the range; check --start, --end and --match, \
             and name the pack of these metrics with --pack"
        );
    }
    Ok(())
}

/// The options of the engine.
fn options(arguments: &Arguments, range: &Range<i64>) -> anyhow::Result<Options> {
    let spill_folder = match (&arguments.spill_dir, &arguments.output) {
        (Some(folder), _) | (None, Some(folder)) => folder.clone(),
        (None, None) => std::env::temp_dir(),
    };
    Ok(Options {
        window: arguments.window_millis()?,
        memory: arguments.memory.0,
        spill_folder,
        existing: if arguments.keep_existing { Existing::Keep } else { Existing::Refuse },
        target_labels: arguments.target_labels(),
        range: range.clone(),
    })
}

/// One run of the command.
struct Run {
    backfill: Backfill,
    /// In milliseconds.
    window: u32,
    format: OutputFormat,
    progress: Progress,
    /// Windows are read one by one.
    is_live: bool,
    /// The number of files written, by earlier runs too.
    files: u64,
    /// Samples that earlier runs have read.
    before: u64,
}

impl Run {
    /// Reads a dump and writes all of its windows.
    fn file(
        &mut self,
        arguments: &Arguments,
        folder: Option<&mut Folder>,
    ) -> anyhow::Result<Ignored> {
        let name = input::name(&arguments.input);
        let size = Path::new(&arguments.input).metadata().ok().map(|metadata| metadata.len());
        let source =
            BufReader::with_capacity(1 << 20, input::open(&arguments.input, &arguments.http)?);
        let progress = &mut self.progress;
        let mut show = |bytes: u64| progress.update(|| reading(bytes, size));
        let ignored = read_samples(source, &mut self.backfill, &mut show)
            .with_context(|| format!("cannot read {name}"))?;
        let mut portion = self.backfill.portion()?;
        self.windows(&mut portion, folder)?;
        Ok(ignored)
    }

    /// Reads and writes one window after the other.
    fn prometheus(
        &mut self,
        prometheus: &Prometheus,
        range: Range<i64>,
        mut folder: Option<&mut Folder>,
    ) -> anyhow::Result<Ignored> {
        let window = i64::from(self.window);
        let begin = range.start.max(self.backfill.done_until());
        let (mut start, mut ignored) = (begin, Ignored::default());
        let begun = Instant::now();
        self.progress.step("reading the types of families");
        prometheus.declare_types(&mut self.backfill);
        while start < range.end {
            let end = ((start / window + 1) * window).min(range.end);
            let done = (start - begin, range.end - begin);
            let (totals, before) = (self.backfill.totals(), self.before);
            self.progress.update(|| summary::progress(totals, before, done, begun.elapsed()));
            ignored += prometheus.read(start..end, &mut self.backfill)?;
            let mut portion = self.backfill.portion()?;
            self.windows(&mut portion, folder.as_deref_mut())?;
            start = end;
        }
        Ok(ignored)
    }

    /// Writes the windows of a portion of the source, a file each.
    fn windows(
        &mut self,
        portion: &mut Portion,
        mut folder: Option<&mut Folder>,
    ) -> anyhow::Result<()> {
        let first = portion.next_window(self.window).unwrap_or_default();
        let begun = Instant::now();
        while let Some(start) = portion.next_window(self.window) {
            if !self.is_live {
                let done = (start - first, portion.latest() - first);
                let (totals, before) = (self.backfill.totals(), self.before);
                self.progress.update(|| summary::progress(totals, before, done, begun.elapsed()));
            }
            let Some(folder) = folder.as_deref_mut() else {
                self.backfill.window(portion, &mut Discard).map_err(advised)?;
                continue;
            };
            let before = self.backfill.totals().samples_out;
            let file = folder.begin(start, self.format)?;
            let to = BufWriter::with_capacity(1 << 20, &file);
            self.window(portion, to)?;
            let has_samples = self.backfill.totals().samples_out > before;
            self.files += u64::from(has_samples);
            folder.end(&file, has_samples)?;
            folder.save(&self.state(start + i64::from(self.window)))?;
        }
        Ok(())
    }

    /// How far this run is.
    fn state(&self, done_until: i64) -> State {
        State {
            done_until,
            totals: self.backfill.totals().clone(),
            histories: self.backfill.histories().map(|(key, it)| (key, it.clone())).collect(),
            files: self.files,
        }
    }

    fn window(&mut self, portion: &mut Portion, to: BufWriter<&File>) -> anyhow::Result<()> {
        let mut to: Box<dyn Output> = match self.format {
            OutputFormat::Openmetrics => Box::new(OpenMetrics::new(to)),
            OutputFormat::Victoriametrics => Box::new(ImportLines::new(to)),
        };
        self.backfill.window(portion, &mut *to).map_err(advised)
    }
}

fn reading(bytes: u64, size: Option<u64>) -> String {
    let read = bytes >> 20;
    match size.filter(|size| *size >= bytes && *size > 0) {
        Some(size) => format!("reading: {} % of {} MiB", bytes * 100 / size, size >> 20),
        None => format!("reading: {read} MiB"),
    }
}

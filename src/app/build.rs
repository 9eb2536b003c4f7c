//! Builds the parts of the gateway from settings, packs and other files.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::Error;
use crate::config::{self, Settings};
use crate::document::Diagnostics;
use crate::http_server::WebConfig;
use crate::mapping::{self, Plan, StatsdSettings};
use crate::packs::{self, PackSet};
use crate::relay::{self, PlanSelection};
use crate::rewrite::exposition::Options;
use crate::scrape::{
    CONFIGURED, DynamicTargetSet, DynamicTargetSettings, DynamicTargets, Gateway, Histories,
    RewriteContext, SharedState, Target,
};
use crate::telemetry::Metrics;

/// Everything that can be built without binding an address.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) gateway: Gateway,
    /// The plans of the relay.
    pub(super) plans: relay::Plans,
    /// What a reload can keep.
    pub(super) compiled: Compiled,
}

/// The packs, and what was compiled from them for targets.
#[derive(Debug)]
pub(super) struct Compiled {
    packs: PackSet,
    mappings: Vec<Mapping>,
    dynamic_targets: Vec<Arc<DynamicTargetSet>>,
}

/// What targets with the same mapping settings share.
#[derive(Clone, Debug)]
struct Mapping {
    settings: mapping::Settings,
    /// Names of the packs in use. `None`: those in general use.
    packs: Option<Vec<String>>,
    plan: Arc<Plan>,
}

impl Parts {
    /// Reads the packs from disk and builds the parts. Targets whose packs and mapping settings are the
    /// same as in `before` keep their plans.
    ///
    /// # Errors
    ///
    /// Packs that cannot be used, or files that targets need.
    pub(super) fn build(
        settings: &Settings,
        shared: &SharedState,
        before: Option<&Compiled>,
    ) -> Result<Parts, Error> {
        let packs = config::pack_set(settings, packs::load(&settings.packs)?);
        let mut unknown = config::unknown_packs(settings, &packs);
        unknown.extend(config::unknown_editions(settings, packs.all()));
        if !unknown.is_empty() {
            return Err(Diagnostics(unknown).into());
        }
        let known = before.filter(|before| before.packs == packs);
        let mut compiled = Compiled { packs, mappings: Vec::new(), dynamic_targets: Vec::new() };
        let mut targets = Vec::with_capacity(settings.targets.len());
        for target in &settings.targets {
            let Mapping { plan, .. } =
                compiled.mapping(&target.mapping, target.packs.as_deref(), known)?;
            let metrics = shared.metrics().target(&target.name);
            let options = Options { strict: target.strict, ..settings.rewrite };
            let context = RewriteContext { plan, options, metrics };
            let built = Target::new(target.clone(), context, shared);
            targets
                .push(built.map_err(|errors| Error::Target { name: target.name.clone(), errors })?);
        }
        let dynamic = compiled.dynamic_targets(settings, shared, known)?;
        let gateway = Gateway::new(targets, dynamic, settings.scrape.clone(), shared);
        let plans = match &settings.relay {
            Some(relay) => plans(settings, relay, &compiled.packs)?,
            None => Vec::new(),
        };
        Ok(Parts { gateway, plans, compiled })
    }
}

impl Compiled {
    /// The mapping for these settings: one of `self` or of `known` if there is one, or a new one.
    fn mapping(
        &mut self,
        settings: &mapping::Settings,
        packs: Option<&[String]>,
        known: Option<&Compiled>,
    ) -> Result<Mapping, Diagnostics> {
        let alike =
            |mapping: &&Mapping| mapping.settings == *settings && mapping.packs.as_deref() == packs;
        if let Some(mapping) = self.mappings.iter().find(alike) {
            return Ok(mapping.clone());
        }
        let known = known.and_then(|known| known.mappings.iter().find(alike)).cloned();
        let mapping = match known {
            Some(mapping) => mapping,
            None => Mapping {
                settings: settings.clone(),
                packs: packs.map(<[String]>::to_vec),
                plan: Arc::new(self.compile(settings, packs)?),
            },
        };
        self.mappings.push(mapping.clone());
        Ok(mapping)
    }

    fn compile(
        &self,
        settings: &mapping::Settings,
        packs: Option<&[String]>,
    ) -> Result<Plan, Diagnostics> {
        let packs = self.packs.named(packs);
        let emit = settings.emit.with_packs(&packs, self.packs.all());
        mapping::compile(&packs, &mapping::Settings { emit, ..settings.clone() })
    }

    /// All packs.
    pub(super) fn packs(&self) -> &PackSet {
        &self.packs
    }

    /// The targets that clients may name. Without an allow-list there are none.
    fn dynamic_targets(
        &mut self,
        settings: &Settings,
        shared: &SharedState,
        known: Option<&Compiled>,
    ) -> Result<DynamicTargets, Error> {
        let Some(named) = &settings.dynamic_targets else {
            return Ok(DynamicTargets::default());
        };
        let allow_list = Arc::new(named.allow_list.clone());
        let mut build = |its: &DynamicTargetSettings| {
            let Mapping { plan, .. } = self.mapping(&its.mapping, its.packs.as_deref(), known)?;
            let metrics = shared.metrics().target(&its.name);
            let options = Options { strict: its.strict, ..settings.rewrite };
            let context = RewriteContext { plan, options, metrics };
            let mut known = known.iter().flat_map(|known| &known.dynamic_targets);
            let built = if let Some(known) = known.find(|it| it.is(its, &context, &allow_list)) {
                Arc::clone(known)
            } else {
                let built =
                    DynamicTargetSet::new(its.clone(), context, Arc::clone(&allow_list), shared);
                let name = its.name.clone();
                Arc::new(built.map_err(|errors| Error::Target { name, errors })?)
            };
            self.dynamic_targets.push(Arc::clone(&built));
            Ok::<_, Error>(built)
        };
        let proxy = Some(build(&named.proxy)?);
        let probe = Some(build(&named.probe)?);
        let modules = named.modules.iter();
        let modules = modules.map(|(name, its)| Ok((name.clone(), build(its)?)));
        Ok(DynamicTargets { proxy, probe, modules: modules.collect::<Result<_, Error>>()? })
    }
}

/// Forgets the histories of targets that `settings` do not have.
pub(super) fn retain_histories(settings: &Settings, histories: &Histories) {
    let is_target = |name: &str| settings.targets.iter().any(|target| target.name == name);
    histories.of_set(CONFIGURED).retain(is_target);
}

fn plans(
    settings: &Settings,
    relay: &relay::Settings,
    packs: &PackSet,
) -> Result<relay::Plans, Diagnostics> {
    let plan = |selection: PlanSelection| {
        let used = packs.named(selection.packs.as_deref());
        let emit = selection.emit.with_packs(&used, packs.all());
        let mapping = StatsdSettings { emit, ..settings.statsd.clone() };
        let plan = mapping::compile_statsd(&used, &mapping)?;
        Ok((selection, Arc::new(plan)))
    };
    relay.plan_selections().into_iter().map(plan).collect()
}

/// The relay's settings; an idle relay if there are none.
pub(super) fn relay_settings(settings: &Settings) -> relay::Settings {
    settings.relay.clone().unwrap_or_else(relay::Settings::nothing)
}

/// Loads the web configuration file, if the settings name one. `before` is the one in use.
pub(super) fn web_config(
    settings: &Settings,
    metrics: &Metrics,
    before: Option<&WebConfig>,
) -> Result<Option<Arc<WebConfig>>, Diagnostics> {
    let load = |path: &PathBuf| WebConfig::load(path, metrics.web_config(), before).map(Arc::new);
    settings.web_config.as_ref().map(load).transpose()
}

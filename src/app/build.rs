//! What settings and packs are made into.

use std::sync::Arc;

use super::Error;
use crate::config::Settings;
use crate::mapping::{self, Emit, Pack, Plan, StatsdPlan, StatsdSettings};
use crate::packs;
use crate::relay;
use crate::scrape::{
    DynamicTargetSet, DynamicTargetSettings, DynamicTargets, Gateway, RewriteContext, SharedState,
    Target, TargetHistories,
};

/// Everything that can be built without taking an address.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) gateway: Gateway,
    /// A plan for each generation that leaves the relay.
    pub(super) plans: Vec<(Emit, Arc<StatsdPlan>)>,
    /// What the next settings can go on with.
    pub(super) compiled: Compiled,
}

/// Packs, and what was compiled from them for targets.
#[derive(Debug)]
pub(super) struct Compiled {
    packs: Vec<Pack>,
    mappings: Vec<Mapping>,
    dynamic_targets: Vec<Arc<DynamicTargetSet>>,
}

/// What targets have in common that are rewritten alike.
#[derive(Clone, Debug)]
struct Mapping {
    settings: mapping::Settings,
    plan: Arc<Plan>,
    /// What a scrape tells the next makes sense under one plan only.
    histories: Arc<TargetHistories>,
}

impl Parts {
    /// Reads the packs from disk and builds what `settings` say. Targets whose packs and mapping are as
    /// `before` go on where they were.
    ///
    /// # Errors
    ///
    /// Packs that cannot be used, or files that targets need.
    pub(super) fn build(
        settings: &Settings,
        shared: &SharedState,
        before: Option<&Compiled>,
    ) -> Result<Parts, Error> {
        let packs = packs::load(&settings.packs)?;
        let known = before.filter(|before| before.packs == packs);
        let mut compiled = Compiled { packs, mappings: Vec::new(), dynamic_targets: Vec::new() };
        let mut targets = Vec::with_capacity(settings.targets.len());
        for target in &settings.targets {
            let Mapping { plan, histories, .. } = compiled.mapping(&target.mapping, known)?;
            let metrics = shared.metrics().target(&target.name);
            let context = RewriteContext { plan, options: settings.rewrite, metrics };
            let built = Target::new(target.clone(), context, histories, shared);
            targets
                .push(built.map_err(|fault| Error::Target { name: target.name.clone(), fault })?);
        }
        let clients = compiled.by_clients(settings, shared, known)?;
        let gateway = Gateway::new(targets, clients, settings.scrape.clone(), shared);
        let plans = match &settings.relay {
            Some(relay) => plans(&settings.statsd, relay, &compiled.packs)?,
            None => Vec::new(),
        };
        Ok(Parts { gateway, plans, compiled })
    }
}

impl Compiled {
    /// The mapping for these settings: one that is there already, or `known`, or a new one.
    fn mapping(
        &mut self,
        settings: &mapping::Settings,
        known: Option<&Compiled>,
    ) -> Result<Mapping, crate::document::Diagnostics> {
        let alike = |mapping: &&Mapping| mapping.settings == *settings;
        if let Some(mapping) = self.mappings.iter().find(alike) {
            return Ok(mapping.clone());
        }
        let known = known.and_then(|known| known.mappings.iter().find(alike)).cloned();
        let mapping = match known {
            Some(mapping) => mapping,
            None => Mapping {
                settings: settings.clone(),
                plan: Arc::new(mapping::compile(&self.packs, settings)?),
                histories: Arc::default(),
            },
        };
        self.mappings.push(mapping.clone());
        Ok(mapping)
    }

    /// All packs in force.
    pub(super) fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// What clients may name. Without an allow-list, nothing.
    fn by_clients(
        &mut self,
        settings: &Settings,
        shared: &SharedState,
        known: Option<&Compiled>,
    ) -> Result<DynamicTargets, Error> {
        let Some(named) = &settings.dynamic_targets else {
            return Ok(DynamicTargets::default());
        };
        let allow_list = Arc::new(named.allow_list.clone());
        let mut dynamic_targets = |its: &DynamicTargetSettings| {
            let Mapping { plan, .. } = self.mapping(&its.mapping, known)?;
            let metrics = shared.metrics().target(&its.name);
            let context = RewriteContext { plan, options: settings.rewrite, metrics };
            let mut known = known.iter().flat_map(|known| &known.dynamic_targets);
            let built = if let Some(known) = known.find(|it| it.is(its, &context, &allow_list)) {
                Arc::clone(known)
            } else {
                let built =
                    DynamicTargetSet::new(its.clone(), context, Arc::clone(&allow_list), shared);
                let name = its.name.clone();
                Arc::new(built.map_err(|fault| Error::Target { name, fault })?)
            };
            self.dynamic_targets.push(Arc::clone(&built));
            Ok::<_, Error>(built)
        };
        let proxy = Some(dynamic_targets(&named.proxy)?);
        let probe = Some(dynamic_targets(&named.probe)?);
        let modules = named.modules.iter();
        let modules = modules.map(|(name, its)| Ok((name.clone(), dynamic_targets(its)?)));
        Ok(DynamicTargets { proxy, probe, modules: modules.collect::<Result<_, Error>>()? })
    }

    /// Forgets the past of targets that are no more.
    pub(super) fn retain(&self, settings: &Settings) {
        let is_target = |name: &str| settings.targets.iter().any(|target| target.name == name);
        self.mappings.iter().for_each(|mapping| mapping.histories.retain(is_target));
    }
}

fn plans(
    mapping: &StatsdSettings,
    relay: &relay::Settings,
    packs: &[Pack],
) -> Result<Vec<(Emit, Arc<StatsdPlan>)>, crate::document::Diagnostics> {
    let plan = |emit| {
        let plan = mapping::compile_statsd(packs, &StatsdSettings { emit, ..mapping.clone() })?;
        Ok((emit, Arc::new(plan)))
    };
    relay.emits().into_iter().map(plan).collect()
}

//! What settings and packs are made into.

use std::sync::Arc;

use super::Error;
use crate::config::Settings;
use crate::mapping::{self, Emit, Pack, Plan, StatsdPlan, StatsdSettings};
use crate::packs;
use crate::relay;
use crate::scrape::{
    ByClients, Gateway, Lasting, OnDemand, OnDemandSettings, Pasts, Target, Treatment,
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
    on_demand: Vec<Arc<OnDemand>>,
}

/// What targets have in common that are rewritten alike.
#[derive(Clone, Debug)]
struct Mapping {
    settings: mapping::Settings,
    plan: Arc<Plan>,
    /// What a scrape tells the next makes sense under one plan only.
    pasts: Arc<Pasts>,
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
        lasting: &Lasting,
        before: Option<&Compiled>,
    ) -> Result<Parts, Error> {
        let packs = packs::load(&settings.packs)?;
        let known = before.filter(|before| before.packs == packs);
        let mut compiled = Compiled { packs, mappings: Vec::new(), on_demand: Vec::new() };
        let mut targets = Vec::with_capacity(settings.targets.len());
        for target in &settings.targets {
            let Mapping { plan, pasts, .. } = compiled.mapping(&target.mapping, known)?;
            let metrics = lasting.metrics().target(&target.name);
            let treatment = Treatment { plan, options: settings.rewrite, metrics };
            let built = Target::new(target.clone(), treatment, pasts, lasting);
            targets
                .push(built.map_err(|fault| Error::Target { name: target.name.clone(), fault })?);
        }
        let clients = compiled.by_clients(settings, lasting, known)?;
        let gateway = Gateway::new(targets, clients, settings.scrape.clone(), lasting);
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
    ) -> Result<Mapping, mapping::Faults> {
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
                pasts: Arc::default(),
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
        lasting: &Lasting,
        known: Option<&Compiled>,
    ) -> Result<ByClients, Error> {
        let Some(named) = &settings.by_clients else {
            return Ok(ByClients::default());
        };
        let reach = Arc::new(named.reach.clone());
        let mut on_demand = |its: &OnDemandSettings| {
            let Mapping { plan, .. } = self.mapping(&its.mapping, known)?;
            let metrics = lasting.metrics().target(&its.name);
            let treatment = Treatment { plan, options: settings.rewrite, metrics };
            let mut known = known.iter().flat_map(|known| &known.on_demand);
            let built = if let Some(known) = known.find(|it| it.is(its, &treatment, &reach)) {
                Arc::clone(known)
            } else {
                let built = OnDemand::new(its.clone(), treatment, Arc::clone(&reach), lasting);
                let name = its.name.clone();
                Arc::new(built.map_err(|fault| Error::Target { name, fault })?)
            };
            self.on_demand.push(Arc::clone(&built));
            Ok::<_, Error>(built)
        };
        let proxy = Some(on_demand(&named.proxy)?);
        let probe = Some(on_demand(&named.probe)?);
        let modules = named.modules.iter();
        let modules = modules.map(|(name, its)| Ok((name.clone(), on_demand(its)?)));
        Ok(ByClients { proxy, probe, modules: modules.collect::<Result<_, Error>>()? })
    }

    /// Forgets the past of targets that are no more.
    pub(super) fn retain(&self, settings: &Settings) {
        let is_target = |name: &str| settings.targets.iter().any(|target| target.name == name);
        self.mappings.iter().for_each(|mapping| mapping.pasts.retain(is_target));
    }
}

fn plans(
    mapping: &StatsdSettings,
    relay: &relay::Settings,
    packs: &[Pack],
) -> Result<Vec<(Emit, Arc<StatsdPlan>)>, mapping::Faults> {
    let plan = |emit| {
        let plan = mapping::compile_statsd(packs, &StatsdSettings { emit, ..mapping.clone() })?;
        Ok((emit, Arc::new(plan)))
    };
    relay.emits().into_iter().map(plan).collect()
}

//! The meaning of the settings of dynamic targets and the allow-list.

use std::collections::BTreeMap;

use super::errors::Errors;
use super::parts::{EMIT_HELP, pack_names, texts};
use crate::config::shape::dynamic_targets::{Allow, DynamicTargets};
use crate::config::shape::file::File;
use crate::config::value::Section;
use crate::mapping;
use crate::scrape::{AllowList, DynamicTargetSettings, Rule};

/// The targets that clients may name.
#[derive(Clone, Debug, PartialEq)]
pub struct DynamicSettings {
    /// Where they may be.
    pub allow_list: AllowList,
    /// Those of proxy requests.
    pub proxy: DynamicTargetSettings,
    /// Those of `/probe`.
    pub probe: DynamicTargetSettings,
    /// Those of `/probe` with a `module`, by its name.
    pub modules: BTreeMap<String, DynamicTargetSettings>,
}

impl DynamicSettings {
    /// All kinds of targets that clients may name.
    pub fn all(&self) -> impl Iterator<Item = &DynamicTargetSettings> {
        [&self.proxy, &self.probe].into_iter().chain(self.modules.values())
    }
}

impl File {
    /// The targets that clients may name; `None` if none is allowed, or if something is wrong.
    pub(in crate::config) fn dynamic_targets(
        &self,
        errors: &mut Errors<'_>,
    ) -> Option<DynamicSettings> {
        let rules: Vec<Rule> = self.allow.iter().map(|rule| allow_rule(rule, errors)).collect();
        if rules.is_empty() {
            return None;
        }
        let mut settings = |section: &Section<DynamicTargets>, name: &str, key: &str| {
            self.dynamic_settings(section, name, key, errors)
        };
        let proxy = settings(&self.proxy, "(proxy)", "proxy");
        let probe = settings(&self.probe, "(probe)", "probe");
        let modules = self.modules.iter().filter_map(|(name, module)| {
            let name = &name.0;
            let settings = settings(module, &format!("(probe:{name})"), &format!("modules.{name}"));
            Some((name.clone(), settings?))
        });
        let modules = modules.collect();
        let allow_list = AllowList::new(rules);
        Some(DynamicSettings { allow_list, proxy: proxy?, probe: probe?, modules })
    }

    fn dynamic_settings(
        &self,
        section: &Section<DynamicTargets>,
        name: &str,
        key: &str,
        errors: &mut Errors<'_>,
    ) -> Option<DynamicTargetSettings> {
        let targets = &section.value;
        let http = targets.http.settings(key, errors);
        let Some(emit) = targets.emit.or(self.emit) else {
            let message = format!("{key}: no generation to emit is given");
            match section.span {
                Some(_) => errors.at(section.span, message, EMIT_HELP),
                None => errors.whole(message, EMIT_HELP),
            }
            return None;
        };
        let buckets = targets.buckets.unwrap_or(self.buckets).value;
        let fill = texts(&self.fill).chain(texts(&targets.fill)).collect();
        let not_counted = targets.not_counted.unwrap_or(self.not_counted).value;
        let mapping =
            mapping::Settings { emit: emit.value, buckets, not_counted, fill, reduce: true };
        Some(DynamicTargetSettings {
            name: name.to_owned(),
            packs: pack_names(targets.packs.as_deref()),
            mapping,
            strict: targets.strict.unwrap_or(self.strict).value,
            http,
        })
    }
}

fn allow_rule(section: &Section<Allow>, errors: &mut Errors<'_>) -> Rule {
    let Allow { host, cidr, ports } = &section.value;
    if host.is_none() && cidr.is_none() {
        let message = "a rule of `allow` has neither host nor cidr";
        errors.at(section.span, message, "give it one of them");
    }
    if ports.as_ref().is_some_and(Vec::is_empty) {
        let message = "a rule of `allow` has no port";
        errors.at(section.span, message, "list the ports that may be scraped");
    }
    Rule {
        host: host.as_ref().map(|host| host.value.clone()),
        range: cidr.map(|range| range.value),
        ports: ports.iter().flatten().map(|port| port.value.get()).collect(),
    }
}

//! Settings of targets that clients name, and of where these may be.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use serde_saphyr::Location;

use super::file::{File, Fill};
use super::http::{self, Authorization, BasicAuth, Headers, Tls};
use crate::config::meaning::settings::texts;
use crate::config::value::{TargetName, Value};
use crate::mapping::{self, BucketPolicy, Emit};
use crate::scrape::{AddressRange, AllowList, DynamicTargetSettings, HostPattern, Rule};

/// Where a client may have us go.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The name that is asked for.
    #[serde(default)]
    pub host: Option<Value<HostPattern>>,
    /// The address that is connected to.
    #[serde(default)]
    pub cidr: Option<Value<AddressRange>>,
    /// The ports.
    pub ports: Vec<Value<NonZeroU16>>,
}

/// How targets that a client names are treated.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Named {
    /// Instead of the general `emit`.
    pub emit: Option<Value<Emit>>,
    /// Instead of the general `buckets`.
    pub buckets: Option<Value<BucketPolicy>>,
    /// On top of the general `fill`.
    pub fill: Fill,
    /// Who we are to them, with a password.
    pub basic_auth: Option<BasicAuth>,
    /// Who we are to them, otherwise.
    pub authorization: Option<Authorization>,
    /// What requests to them carry besides.
    pub http_headers: Headers,
    /// How TLS to them is spoken.
    pub tls_config: Option<Tls>,
}

/// What clients may name.
#[derive(Clone, Debug, PartialEq)]
pub struct ByClients {
    /// Where their targets may be.
    pub allow_list: AllowList,
    /// Those of a proxy.
    pub proxy: DynamicTargetSettings,
    /// Those of a probe.
    pub probe: DynamicTargetSettings,
    /// Those of a probe with a module, by its name.
    pub modules: BTreeMap<String, DynamicTargetSettings>,
}

impl ByClients {
    /// All kinds of targets that clients may name.
    pub fn all(&self) -> impl Iterator<Item = &DynamicTargetSettings> {
        [&self.proxy, &self.probe].into_iter().chain(self.modules.values())
    }
}

impl Named {
    fn settings(
        &self,
        name: &str,
        key: &str,
        file: &File,
    ) -> Result<DynamicTargetSettings, String> {
        let Some(Value(emit)) = self.emit.or(file.emit) else {
            return Err(format!(
                "{key}: nothing says what to emit; give it an `emit:`, or a general one"
            ));
        };
        let buckets = self.buckets.unwrap_or(file.buckets).0;
        let fill = texts(&file.fill).chain(texts(&self.fill)).collect();
        let http = http::Keys {
            basic_auth: self.basic_auth.as_ref(),
            authorization: self.authorization.as_ref(),
            http_headers: &self.http_headers,
            tls_config: self.tls_config.as_ref(),
        };
        let http = http.settings().map_err(|fault| format!("{key}: {fault}"))?;
        let mapping = mapping::Settings { emit, buckets, fill };
        Ok(DynamicTargetSettings { name: name.to_owned(), mapping, http })
    }

    pub(in crate::config) fn files_mut(
        &mut self,
    ) -> impl Iterator<Item = &mut Value<crate::config::FilePath>> {
        http::files(
            self.basic_auth.as_mut(),
            self.authorization.as_mut(),
            &mut self.http_headers,
            self.tls_config.as_mut(),
        )
    }
}

impl File {
    /// What clients may name; `None` where nothing is allowed, or where something is wrong.
    pub(in crate::config) fn by_clients(
        &self,
        fault: &mut impl FnMut(String, Option<Location>),
    ) -> Option<ByClients> {
        let mut rules = Vec::with_capacity(self.allow.len());
        for spanned in &self.allow {
            let Allow { host, cidr, ports } = &spanned.value;
            let place = Some(spanned.referenced);
            if host.is_none() && cidr.is_none() {
                fault("a rule of `allow` names neither host nor cidr; give it one".into(), place);
            }
            if ports.is_empty() {
                fault(
                    "a rule of `allow` names no port; list those that may be scraped".into(),
                    place,
                );
            }
            rules.push(Rule {
                host: host.as_ref().map(|Value(host)| host.clone()),
                range: cidr.as_ref().map(|Value(range)| *range),
                ports: ports.iter().map(|Value(port)| port.get()).collect(),
            });
        }
        if rules.is_empty() {
            return None;
        }
        let mut settings = |named: &Named, name: &str, key: &str| {
            named.settings(name, key, self).map_err(|message| fault(message, None)).ok()
        };
        let proxy = settings(&self.proxy, "(proxy)", "proxy");
        let probe = settings(&self.probe, "(probe)", "probe");
        let modules = self.modules.iter().filter_map(|(Value(TargetName(name)), module)| {
            let settings = settings(module, &format!("(probe:{name})"), &format!("modules.{name}"));
            Some((name.clone(), settings?))
        });
        let modules = modules.collect();
        Some(ByClients { allow_list: AllowList::new(rules), proxy: proxy?, probe: probe?, modules })
    }
}

/// A path that is handed through to a target.
pub(in crate::config) fn is_passthrough_path(path: &str) -> bool {
    let ours = ["/", "/metrics", "/probe", "/sd"];
    path.starts_with('/')
        && !ours.contains(&path)
        && !path.starts_with("/targets/")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%*".contains(&byte))
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    fn faults(text: &str) -> String {
        let file = parse(text).expect(text);
        file.into_settings(None).expect_err(text).to_string()
    }

    #[test]
    fn faults_of_an_allow_list() {
        for (text, part) in [
            ("emit: old\nallow: [{ports: [80]}]", "neither host nor cidr"),
            ("emit: old\nallow: [{host: a, ports: []}]", "names no port"),
            ("allow: [{host: a, ports: [80]}]", "proxy: nothing says what to emit"),
            (
                "emit: old\nallow: [{host: a, ports: [80]}]\nmodules: {m: {authorization: {}}}",
                "modules.m: authorization has no credentials",
            ),
            (
                "emit: old\ntargets: [{url: 'http://a/', passthrough: [/metrics]}]",
                "target a: /metrics cannot be handed through",
            ),
            (
                "emit: old\ntargets: [{url: 'http://a/', passthrough: [/x]}, {url: 'http://b/', passthrough: [/x]}]",
                "target b: /x is handed through to a",
            ),
        ] {
            let faults = faults(text);
            assert!(faults.contains(part), "{text}: {faults}");
        }
        for (text, part) in [
            ("allow: [{host: a}]", "missing field `ports`"),
            ("allow: [{host: 10.0.0.1, ports: [80]}]", "write it as cidr"),
            ("allow: [{cidr: 10.0.0.1/8, ports: [80]}]", "write 10.0.0.0/8"),
            ("allow: [{host: a, ports: [0]}]", "`0`"),
            ("allow: [{host: a, ports: [65536]}]", "`65536`"),
        ] {
            let fault = parse(text).expect_err(text).to_string();
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }

    #[test]
    fn an_allow_list_alone_will_do() {
        let text = concat!(
            "emit: old\nallow: [{host: '*.kong.svc', ports: [8100]}, {cidr: 10.0.0.0/8, ports: [8100, 8001]}]\n",
            "proxy: {emit: both}\nmodules: {new: {emit: new}}\n",
        );
        let settings = parse(text).expect("valid").into_settings(None).expect("valid");
        let named = settings.by_clients.expect("allowed");
        assert_eq!(named.proxy.mapping.emit, crate::mapping::Emit::Both);
        assert_eq!(named.probe.mapping.emit, crate::mapping::Emit::Old);
        assert_eq!(named.modules["new"].mapping.emit, crate::mapping::Emit::New);
        assert_eq!(named.modules["new"].name, "(probe:new)");

        let text = "emit: old\ntargets: [{url: 'http://a/'}]\n";
        assert_eq!(
            parse(text).expect("valid").into_settings(None).expect("valid").by_clients,
            None
        );
    }
}

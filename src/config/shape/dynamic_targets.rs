//! Targets that clients name, and which of them are allowed.

use std::num::NonZeroU16;

use serde::Serialize;

use super::http::Http;
use super::read::{ReadSettings as _, Shape};
use crate::config::value::{Fill, Value};
use crate::document::Fields;
use crate::mapping::{BucketPolicy, Emit, NotCounted};
use crate::scrape::{AddressRange, HostPattern};

/// A rule of the allow-list.
#[derive(Clone, Debug, Serialize)]
pub struct Allow {
    /// The names that may be requested.
    pub host: Option<Value<HostPattern>>,
    /// The addresses that may be connected to.
    pub cidr: Option<Value<AddressRange>>,
    /// The ports. `None` if the file has none that can be read.
    pub ports: Option<Vec<Value<NonZeroU16>>>,
}

/// How targets that a client names are scraped and rewritten.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DynamicTargets {
    /// Names of the packs that apply to them. `None`: those in general use.
    pub packs: Option<Vec<Value<String>>>,
    /// Replaces the general `emit`.
    pub emit: Option<Value<Emit>>,
    /// Replaces the general `buckets`.
    pub buckets: Option<Value<BucketPolicy>>,
    /// Replaces the general `not_counted`.
    pub not_counted: Option<Value<NotCounted>>,
    /// Replaces the general `strict`.
    pub strict: Option<Value<bool>>,
    /// Extends the general `fill`.
    pub fill: Fill,
    /// How requests to them are made.
    #[serde(flatten)]
    pub http: Http,
}

impl Shape for Allow {
    const NOUN: &'static str = "a rule of `allow`";

    fn read(fields: &mut Fields<'_, '_>) -> Allow {
        if !fields.has("ports") {
            fields.missing("ports");
        }
        let is_given = fields.has("ports");
        let ports: Vec<Value<Port>> = fields.list("ports");
        let ports = ports.into_iter().map(|it| Value { value: it.value.0, span: it.span });
        let ports: Vec<Value<NonZeroU16>> = ports.collect();
        Allow {
            host: fields.given("host", "*".parse().expect("a pattern")),
            cidr: fields.given("cidr", "0.0.0.0/0".parse().expect("a range")),
            ports: is_given.then_some(ports),
        }
    }
}

impl Shape for DynamicTargets {
    const NOUN: &'static str = "settings of dynamic targets";

    fn read(fields: &mut Fields<'_, '_>) -> DynamicTargets {
        DynamicTargets {
            packs: fields.pack_names(),
            emit: fields.given("emit", Emit::Both),
            buckets: fields.optional("buckets"),
            not_counted: fields.optional("not_counted"),
            strict: fields.switch("strict"),
            fill: fields.fill("fill"),
            http: Http::of(fields),
        }
    }
}

/// A port from 1.
struct Port(NonZeroU16);

impl std::str::FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Port).map_err(|_| "expected a port from 1 to 65535")
    }
}

//! The packs in the binary.

use crate::mapping::Pack;

/// A pack in the binary.
#[derive(Debug)]
pub struct ShippedPack {
    /// Its name, which is also that of its file.
    pub name: &'static str,
    /// The name of its file in diagnostics.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(ShippedPack {
            name: $name,
            file: concat!("mappings/", $name, ".yaml"),
            text: include_str!(concat!("../../mappings/", $name, ".yaml")),
        }),*]
    };
}

/// The packs in the binary, those in use by default first.
pub const SHIPPED: &[ShippedPack] = shipped![
    "kong",
    "apisix",
    "kube_state_metrics",
    "kubernetes",
    "node_exporter",
    "node_exporter_1",
    "opentelemetry_http",
    "spring_boot",
    "traefik",
];

/// The names of the packs that are in use where no shipped pack is named.
pub const DEFAULT: &[&str] = &["kong"];

impl ShippedPack {
    /// The shipped pack with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static ShippedPack> {
        SHIPPED.iter().find(|pack| pack.name == name)
    }

    /// True if it is in use where no shipped pack is named.
    #[must_use]
    pub fn is_default(&self) -> bool {
        DEFAULT.contains(&self.name)
    }

    /// Parses it.
    ///
    /// # Panics
    ///
    /// Never in a build that passed its tests, which parse every shipped pack.
    #[must_use]
    pub fn parse(&self) -> Pack {
        Pack::parse(self.file, self.text).expect("a test parses every shipped pack")
    }
}

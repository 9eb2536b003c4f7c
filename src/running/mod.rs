//! The state that a reload replaces, and how a reload is requested. The admin listener shows it;
//! the gateway owns it.

mod reloader;

use std::sync::Arc;

use crate::config::Settings;
use crate::packs::PackSet;
use crate::scrape::Gateway;

pub use reloader::{LastReload, Outcome, ReloadRequest, ReloadRequests, Reloader};

/// The state of the running gateway. A reload replaces it as a whole.
#[derive(Debug)]
pub struct Running {
    /// The settings.
    pub settings: Settings,
    /// The targets.
    pub gateway: Arc<Gateway>,
    /// The packs that the plans are compiled from.
    pub packs: PackSet,
}

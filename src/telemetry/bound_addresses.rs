//! The addresses that listeners are bound to. They differ from the settings if the port there is 0.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bound addresses, by the address in the settings.
#[derive(Debug, Default)]
pub(super) struct BoundAddresses(Mutex<HashMap<String, String>>);

impl BoundAddresses {
    pub(super) fn get(&self, listener: &str) -> Option<String> {
        self.lock().get(listener).cloned()
    }

    pub(super) fn set(&self, listener: &str, address: &str) {
        self.lock().insert(listener.to_owned(), address.to_owned());
    }

    pub(super) fn forget(&self, listener: &str) {
        self.lock().remove(listener);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

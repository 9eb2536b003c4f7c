//! A gateway in this process, with raw sockets on both sides of it.

#![expect(clippy::too_many_lines, reason = "a test or a model is read from top to bottom")]

mod admin;
mod http_client;
mod http_server;
mod packs;
mod relay;
mod reload;
mod scrape;
mod settings;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

/// A folder that is gone with its owner.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("crossfade-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn join(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Writes a file in it.
    fn write(&self, file: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(file);
        std::fs::write(&path, text).expect("writable");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

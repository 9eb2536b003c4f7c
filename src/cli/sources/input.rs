//! One input: a file, a dashboard of a Grafana, or a group of rules of a Prometheus.

use std::io::Read as _;
use std::path::PathBuf;

use crate::apis::{Dashboard, RuleGroup};

/// The largest file that is audited, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Something to audit.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Input {
    /// The path of a file, or what is shown instead.
    pub(in crate::cli) path: PathBuf,
    /// The folder that it was found in. The output has the same structure.
    pub(in crate::cli) base: PathBuf,
    /// The user named it. It is not one of the files that a folder contains.
    pub(in crate::cli) is_named: bool,
    /// The extension is that of a dashboard or rule file. Others are only searched for names.
    pub(in crate::cli) is_known: bool,
    pub(in crate::cli) origin: Origin,
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Origin {
    /// A file of this path.
    File,
    /// A dashboard.
    Dashboard(Box<Dashboard>),
    /// A group of rules, and its text as a rule file.
    RuleGroup(Box<RuleGroup>, String),
}

impl Input {
    pub(super) fn dashboard(dashboard: Dashboard) -> Input {
        let path = format!("grafana: {} ({})", dashboard.name(), dashboard.uid);
        Input::remote(path, Origin::Dashboard(Box::new(dashboard)))
    }

    pub(super) fn rule_group(group: RuleGroup) -> Input {
        let path = match group.file.as_str() {
            "" => format!("prometheus: group {}", group.name),
            file => format!("prometheus: group {} ({file})", group.name),
        };
        let text = group.to_yaml();
        Input::remote(path, Origin::RuleGroup(Box::new(group), text))
    }

    fn remote(path: String, origin: Origin) -> Input {
        let path = PathBuf::from(path);
        Input { base: path.clone(), path, is_named: true, is_known: true, origin }
    }

    /// The name of a file for it, below a folder.
    pub(in crate::cli) fn file_name(&self) -> PathBuf {
        match &self.origin {
            Origin::File => self.path.strip_prefix(&self.base).unwrap_or(&self.path).to_owned(),
            Origin::Dashboard(dashboard) => {
                PathBuf::from("grafana").join(plain(&dashboard.uid) + ".json")
            }
            Origin::RuleGroup(group, _) => {
                let file = group.file.rsplit('/').next().unwrap_or_default();
                let file = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                let name = [file, group.name.as_str()].map(plain).join("-") + ".yaml";
                PathBuf::from("prometheus").join(name.trim_start_matches('-'))
            }
        }
    }

    /// Its text as it is now.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is larger than [`MAX_FILE`].
    pub(in crate::cli) fn read(&self) -> std::io::Result<Vec<u8>> {
        match &self.origin {
            Origin::Dashboard(dashboard) => return Ok(dashboard.text.clone().into_bytes()),
            Origin::RuleGroup(_, text) => return Ok(text.clone().into_bytes()),
            Origin::File => {}
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&self.path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            let error = "it is larger than 64 MiB; divide it, or leave it out";
            return Err(std::io::Error::other(error));
        }
        Ok(bytes)
    }
}

/// A text as a part of the name of a file.
fn plain(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    let text: String = text.chars().map(|char| if is_plain(char) { char } else { '-' }).collect();
    text.trim_start_matches('.').to_owned()
}

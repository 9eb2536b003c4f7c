//! The settings of the gateway, in two editions, and the ports in them.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::origin::Behaviour;
use super::process::free_port;

/// The ports of everything that listens.
pub(crate) struct Ports {
    pub(crate) web: u16,
    pub(crate) admin: u16,
    pub(crate) statsd: u16,
    pub(crate) sink: u16,
    targets: [u16; Behaviour::ALL.len()],
    /// Where there is no target.
    none: u16,
    /// Of the `StatsD` listener that only every other edition has.
    other_statsd: u16,
}

impl Ports {
    pub(crate) fn free() -> io::Result<Ports> {
        let mut targets = [0; Behaviour::ALL.len()];
        for port in &mut targets {
            *port = free_port()?;
        }
        Ok(Ports {
            web: free_port()?,
            admin: free_port()?,
            statsd: free_port()?,
            sink: free_port()?,
            targets,
            none: free_port()?,
            other_statsd: free_port()?,
        })
    }

    pub(crate) fn target(&self, behaviour: Behaviour) -> u16 {
        self.targets[behaviour as usize]
    }

    /// The settings after so many reloads. Every other edition emits both generations of the large
    /// target, and has one target and one listener more.
    pub(crate) fn settings(&self, edition: u64, ca_file: &Path) -> String {
        let is_odd = !edition.is_multiple_of(2);
        let mut text = format!(
            "emit: old\nweb: {{ listen_address: \"127.0.0.1:{}\" }}\n\
             admin: {{ listen_address: \"127.0.0.1:{}\" }}\n\
             statsd:\n  forward: [{{ address: \"udp://127.0.0.1:{}\" }}]\n  listen:\n",
            self.web, self.admin, self.sink
        );
        let mut line = |line: String| {
            writeln!(text, "{line}").expect("a String takes whatever is written to it");
        };
        line(format!("  - {{ address: \"udp://127.0.0.1:{}\" }}", self.statsd));
        if is_odd {
            line(format!("  - {{ address: \"udp://127.0.0.1:{}\" }}", self.other_statsd));
        }
        line("targets:".to_owned());
        for behaviour in Behaviour::ALL {
            let (name, port) = (behaviour.name(), self.target(behaviour));
            let emit = if is_odd && behaviour == Behaviour::Large { "both" } else { "new" };
            let (scheme, more) = if behaviour == Behaviour::Encrypted {
                ("https", format!(", tls_config: {{ ca_file: \"{}\" }}", ca_file.display()))
            } else {
                ("http", String::new())
            };
            line(format!(
                "  - {{ name: {name}, url: \"{scheme}://127.0.0.1:{port}/metrics\", emit: {emit}{more} }}"
            ));
        }
        for name in ["none", "more"].into_iter().take(1 + usize::from(is_odd)) {
            line(format!(
                "  - {{ name: {name}, url: \"http://127.0.0.1:{}/metrics\", emit: new }}",
                self.none
            ));
        }
        text
    }
}

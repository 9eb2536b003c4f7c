//! The proxies between the client and the origin.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Process, free_port};
use crate::{body, client};

const NGINX: &str = "/usr/sbin/nginx";

/// Twelve families of Kong 2.8 that one case renames, and their new names.
const RENAMES: [(&str, &str); 12] = [
    ("kong_bandwidth", "gw_bandwidth"),
    ("kong_datastore_reachable", "gw_datastore_reachable"),
    ("kong_http_consumer_status", "gw_http_consumer_status"),
    ("kong_http_status", "gw_http_status"),
    ("kong_latency", "gw_latency"),
    ("kong_memory_lua_shared_dict_bytes", "gw_memory_lua_shared_dict_bytes"),
    ("kong_memory_lua_shared_dict_total_bytes", "gw_memory_lua_shared_dict_total_bytes"),
    ("kong_memory_workers_lua_vms_bytes", "gw_memory_workers_lua_vms_bytes"),
    ("kong_nginx_http_current_connections", "gw_nginx_http_current_connections"),
    ("kong_nginx_metric_errors_total", "gw_nginx_metric_errors_total"),
    ("kong_nginx_timers", "gw_nginx_timers"),
    ("kong_upstream_target_health", "gw_upstream_target_health"),
];

/// Which generation's shape a body has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Old,
    New,
}

impl Shape {
    /// A generated body.
    pub(crate) fn body(self, bytes: usize) -> Vec<u8> {
        match self {
            Shape::Old => body::old(bytes),
            Shape::New => body::new(bytes),
        }
    }

    /// What can be emitted of it: a name for the table, and the setting.
    pub(crate) fn emits(self) -> [(&'static str, &'static str); 3] {
        match self {
            Shape::Old => [
                ("crossfade, pass-through", "old"),
                ("crossfade, old to new", "new"),
                ("crossfade, both", "both"),
            ],
            Shape::New => [
                ("crossfade, pass-through", "new"),
                ("crossfade, new to old", "old"),
                ("crossfade, both", "both"),
            ],
        }
    }

    fn path(self) -> &'static str {
        match self {
            Shape::Old => "/old",
            Shape::New => "/new",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Old => "Kong 2.8 shape",
            Shape::New => "Kong 3.9 shape",
        })
    }
}

/// An nginx that serves a body of each shape from memory.
pub(crate) struct Origin {
    _process: Process,
    port: u16,
    bytes: [usize; 2],
}

impl Origin {
    /// Bodies have about `bytes` bytes.
    pub(crate) fn start(folder: &Path, bytes: usize) -> io::Result<Self> {
        let port = free_port()?;
        let (old, new) = (Shape::Old.body(bytes), Shape::New.body(bytes));
        let bytes = [old.len(), new.len()];
        fs::write(folder.join("old"), old)?;
        fs::write(folder.join("new"), new)?;
        let location = format!("root {}; default_type text/plain; sendfile on;", folder.display());
        Ok(Origin { _process: nginx(folder, port, &location)?, port, bytes })
    }

    /// The size of a body.
    pub(crate) fn bytes(&self, shape: Shape) -> usize {
        self.bytes[usize::from(shape == Shape::New)]
    }

    /// Scrapes it directly.
    pub(crate) fn scrape(&self, shape: Shape) -> io::Result<Duration> {
        client::scrape(self.port, shape.path())
    }
}

/// One proxy before the origin.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) process: Process,
    port: u16,
    path: &'static str,
}

impl Case {
    /// Scrapes through it.
    pub(crate) fn scrape(&self) -> io::Result<Duration> {
        client::scrape(self.port, self.path)
    }
}

/// Where cases are set up.
pub(crate) struct Stage<'a> {
    /// For settings and bodies.
    pub(crate) folder: &'a Path,
    /// Where bodies come from.
    pub(crate) origin: &'a Origin,
    /// Which of them.
    pub(crate) shape: Shape,
    /// The binary.
    pub(crate) crossfade: &'a Path,
    /// An earlier binary.
    pub(crate) before: Option<&'a Path>,
}

impl Stage<'_> {
    /// Everything that is measured on bodies of one shape; the plain proxy comes first.
    pub(crate) fn cases(&self) -> io::Result<Vec<Case>> {
        let mut cases = vec![self.nginx("nginx plain", "")?];
        if self.shape == Shape::Old {
            let renames = RENAMES.map(|(old, new)| format!("sub_filter {old} {new};")).concat();
            let filter = format!("sub_filter_types text/plain; sub_filter_once off; {renames}");
            cases.push(self.nginx("nginx sub_filter, 12 renames", &filter)?);
        }
        if self.shape == Shape::Old {
            let pack = self.folder.join("renames.yaml");
            let entries = RENAMES.map(|(old, new)| format!("  - {{ old: {old}, new: {new} }}\n"));
            // By its name it takes the place of the shipped pack.
            fs::write(&pack, format!("name: kong\nprometheus:\n{}", entries.concat()))?;
            let settings = format!("emit: new\npacks: ['{}']", pack.display());
            cases.extend(self.crossfade("crossfade, 12 renames", &settings)?);
        }
        for (name, emit) in self.shape.emits() {
            cases.extend(self.crossfade(name, &format!("emit: {emit}"))?);
        }
        Ok(cases)
    }

    fn nginx(&self, name: &'static str, directives: &str) -> io::Result<Case> {
        let port = free_port()?;
        // Bodies as big as these never fit the buffers: without a limit of 0 they go to a file.
        let location = format!(
            "proxy_pass http://127.0.0.1:{}; proxy_http_version 1.1; proxy_set_header Connection '';
             proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
             proxy_max_temp_file_size 0; {directives}",
            self.origin.port
        );
        let process = nginx(self.folder, port, &location)?;
        Ok(Case { name: name.to_owned(), process, port, path: self.shape.path() })
    }

    /// One case for each binary.
    fn crossfade(&self, name: &str, settings: &str) -> io::Result<Vec<Case>> {
        let now = self.gateway(self.crossfade, name.to_owned(), settings)?;
        let before = self
            .before
            .map(|binary| self.gateway(binary, name.replacen("crossfade", "before", 1), settings));
        Ok(before.transpose()?.into_iter().chain([now]).collect())
    }

    fn gateway(&self, binary: &Path, name: String, settings: &str) -> io::Result<Case> {
        let (port, admin) = (free_port()?, free_port()?);
        let file = self.folder.join(format!("crossfade-{port}.yaml"));
        let url = format!("http://127.0.0.1:{}{}", self.origin.port, self.shape.path());
        fs::write(
            &file,
            format!(
                "{settings}
web: {{ listen_address: '127.0.0.1:{port}' }}
admin: {{ listen_address: '127.0.0.1:{admin}' }}
scrape: {{ timeout: 60s }}
targets: [ {{ name: origin, url: '{url}' }} ]
"
            ),
        )?;
        let mut command = Command::new(binary);
        command.arg("serve").arg(format!("--config.file={}", file.display()));
        let process = Process::serve(command.stderr(Stdio::null()), port)?;
        Ok(Case { name, process, port, path: "/metrics" })
    }
}

/// Starts an nginx that does one thing, as one process.
fn nginx(folder: &Path, port: u16, location: &str) -> io::Result<Process> {
    let file = folder.join(format!("nginx-{port}.conf"));
    let folder = folder.display();
    fs::write(
        &file,
        format!(
            "daemon off; master_process off; pid {folder}/nginx-{port}.pid; error_log stderr crit;
             events {{}}
             http {{
               access_log off;
               client_body_temp_path {folder}/temp-{port}; proxy_temp_path {folder}/temp-{port};
               fastcgi_temp_path {folder}/temp-{port}; uwsgi_temp_path {folder}/temp-{port};
               scgi_temp_path {folder}/temp-{port};
               server {{ listen 127.0.0.1:{port}; location / {{ {location} }} }}
             }}"
        ),
    )?;
    Process::serve(Command::new(NGINX).arg("-c").arg(&file), port)
}

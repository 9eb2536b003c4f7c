//! The proxies before the targets.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Process, free_port};

const NGINX: &str = "/usr/sbin/nginx";

/// One proxy before all targets.
pub(crate) struct Proxy {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) port: u16,
}

impl Proxy {
    /// An nginx as one process, with idle connections to each target and without temporary files.
    pub(crate) fn nginx(name: &'static str, folder: &Path, urls: &[String]) -> io::Result<Proxy> {
        let port = free_port()?;
        let targets = || urls.iter().enumerate();
        let upstreams = targets()
            .map(|(target, url)| format!("upstream t{target} {{ server {url}; keepalive 4; }}\n"));
        let locations = targets().map(|(target, _)| {
            let pass = format!("proxy_pass http://t{target}/metrics;");
            format!("location = {} {{ {pass} }}\n", path(target))
        });
        let (upstreams, locations): (String, String) = (upstreams.collect(), locations.collect());
        let file = folder.join("nginx.conf");
        let folder = folder.display();
        fs::write(
            &file,
            format!(
                "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit;
                 events {{ worker_connections 4096; }}
                 http {{
                   access_log off;
                   client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp;
                   fastcgi_temp_path {folder}/temp; uwsgi_temp_path {folder}/temp;
                   scgi_temp_path {folder}/temp;
                   proxy_http_version 1.1; proxy_set_header Connection '';
                   proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
                   proxy_max_temp_file_size 0;
                   {upstreams}
                   server {{ listen 127.0.0.1:{port} backlog=4096; {locations} }}
                 }}"
            ),
        )?;
        let process = Process::serve(Command::new(NGINX).arg("-c").arg(&file), port)?;
        Ok(Proxy { name, process, port })
    }

    /// A gateway with these targets.
    pub(crate) fn crossfade(
        name: &'static str,
        folder: &Path,
        binary: &Path,
        emit: &str,
        urls: &[String],
    ) -> io::Result<Proxy> {
        let port = free_port()?;
        let mut settings = format!(
            "emit: {emit}
web: {{ listen_address: '127.0.0.1:{port}' }}
admin: {{ listen_address: '127.0.0.1:0' }}
scrape: {{ timeout: 60s }}
targets:
"
        );
        let targets = urls.iter().enumerate();
        let targets = targets.map(|(target, url)| {
            format!("- {{ name: '{target}', url: 'http://{url}/metrics' }}\n")
        });
        settings.extend(targets);
        let file = folder.join(format!("crossfade-{port}.yaml"));
        fs::write(&file, settings)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg(format!("--config.file={}", file.display()));
        let process = Process::serve(command.stderr(Stdio::null()), port)?;
        Ok(Proxy { name, process, port })
    }
}

/// The path of a target, which is the same for every proxy.
pub(crate) fn path(target: usize) -> String {
    format!("/targets/{target}/metrics")
}

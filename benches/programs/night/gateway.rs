//! The replicas of the gateway.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::kong::Shape;
use super::plan::{Action, NODES};
use super::process::free_port;
use super::prometheus::{get, request};

/// Between two looks at something that is awaited.
const POLL: Duration = Duration::from_millis(20);

/// The longest wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// A replica: a process that is started again when it is stopped.
#[derive(Debug)]
pub(crate) struct Replica {
    program: PathBuf,
    folder: PathBuf,
    /// Kept over a restart, as that of a pod of a `StatefulSet` is.
    data: SocketAddr,
    admin: SocketAddr,
    kong: u16,
    /// How often its settings were written.
    edition: usize,
    child: Child,
}

impl Replica {
    /// Starts a replica, and waits until it is ready.
    pub(crate) fn start(program: &Path, folder: PathBuf, kong: u16) -> io::Result<Replica> {
        fs::create_dir_all(&folder)?;
        let address = || Ok::<_, io::Error>(SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        let (data, admin) = (address()?, address()?);
        fs::write(folder.join("crossfade.yaml"), settings(data, admin, kong, 0))?;
        let child = serve(program, &folder)?;
        let program = program.to_owned();
        let replica = Replica { program, folder, data, admin, kong, edition: 0, child };
        replica.wait_until_ready()?;
        Ok(replica)
    }

    /// Where Prometheus scrapes it.
    pub(crate) fn data(&self) -> SocketAddr {
        self.data
    }

    /// Does something to it, and waits until it is done.
    pub(crate) fn act(&mut self, action: Action) -> io::Result<()> {
        match action {
            Action::Restart => {
                self.signal("TERM")?;
                let status = self.child.wait()?;
                if !status.success() {
                    return Err(io::Error::other(format!("the gateway ended with {status}")));
                }
                if !self.folder.join("state").exists() {
                    return Err(io::Error::other("the gateway has not written its state"));
                }
                self.child = serve(&self.program, &self.folder)?;
                self.wait_until_ready()
            }
            Action::Signal | Action::Request => {
                let before = self.reloads()?;
                self.edition += 1;
                let settings = settings(self.data, self.admin, self.kong, self.edition);
                fs::write(self.folder.join("crossfade.yaml"), settings)?;
                if action == Action::Signal {
                    self.signal("HUP")?;
                } else {
                    let (status, body) = request(&self.admin.to_string(), "POST", "/-/reload")?;
                    if status != 200 {
                        return Err(io::Error::other(body.escape_ascii().to_string()));
                    }
                }
                wait_for("a reload", || Ok(self.reloads()? > before))
            }
        }
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        wait_for("the gateway to be ready", || {
            let response = get(&self.admin.to_string(), "/-/ready");
            Ok(response.is_ok_and(|(status, _)| status == 200))
        })
    }

    /// Successful reloads.
    fn reloads(&self) -> io::Result<u64> {
        let (_, page) = get(&self.admin.to_string(), "/metrics")?;
        let page = String::from_utf8(page).map_err(io::Error::other)?;
        let mut lines = page.lines();
        let line = lines.find_map(|line| {
            line.strip_prefix("crossfade_config_reloads_total{outcome=\"success\"} ")
        });
        Ok(line.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("process {}: {error}", self.child.id());
        }
    }
}

fn serve(program: &Path, folder: &Path) -> io::Result<Child> {
    let log = fs::File::options().create(true).append(true).open(folder.join("log"))?;
    Command::new(program)
        .args(["serve", "--config.file=crossfade.yaml", "--web.enable-lifecycle"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> io::Result<bool>) -> io::Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        if begun.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("gave up waiting for {what}")));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Two targets for each node: one for dashboards of 2.x, one for those of 3.x. Settings of an odd
/// edition differ from the others in a target, a limit, and the level of the log.
fn settings(data: SocketAddr, admin: SocketAddr, kong: u16, edition: usize) -> String {
    let mut settings = format!(
        "web: {{ listen_address: \"{data}\" }}\nadmin: {{ listen_address: \"{admin}\" }}\n"
    );
    let is_odd = !edition.is_multiple_of(2);
    let (margin, level) = if is_odd { ("200ms", "debug") } else { ("100ms", "info") };
    let more = format!(
        "scrape: {{ state_file: state, timeout_margin: {margin} }}\nlog: {{ level: {level} }}\n\
         targets:\n"
    );
    settings.push_str(&more);
    for node in 0..NODES + usize::from(is_odd) {
        let path = Shape::Live.path(node);
        for (name, emit) in [("old", "emit: old"), ("new", NEW)] {
            writeln!(
                settings,
                "  - {{ name: {name}-{node}, url: \"http://127.0.0.1:{kong}{path}\", {emit} }}"
            )
            .expect("a String takes whatever is written to it");
        }
    }
    settings
}

/// The nodes have several versions of 3.x, so one edition is emitted, and labels that 2.8 lacks get
/// the value that 3.9 mostly has.
const NEW: &str = "emit: \"3.9\", fill: { source: service, workspace: default }";

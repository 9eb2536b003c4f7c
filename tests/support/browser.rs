//! A headless Chromium, driven by chromedriver over its HTTP interface.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The longest wait for an expected event. Then the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. It is closed with the test.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

/// How the window looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// In pixels.
    pub(crate) width: u32,
    pub(crate) dark: bool,
    /// The user prefers reduced motion.
    pub(crate) still: bool,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it is not installed, with the command that installs it.
    pub(crate) fn start() -> Browser {
        Browser::start_with_names(&[])
    }

    /// Starts one for which these host names are this computer.
    pub(crate) fn start_with_names(names: &[&str]) -> Browser {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = started.unwrap_or_else(|error| {
            panic!(
                "cannot start chromedriver ({error}): apt-get install -y chromium chromium-driver"
            )
        });
        let log = BufReader::new(driver.stdout.take().expect("stdout is piped"));
        let port = log.lines().map_while(Result::ok).find_map(|line| {
            line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        let port = port.expect("chromedriver says its port");
        let mut browser = Browser { driver, port, session: String::new() };
        let rules: Vec<String> = names.iter().map(|name| format!("MAP {name} 127.0.0.1")).collect();
        let names = format!("--host-resolver-rules={}", rules.join(", "));
        let flags = [
            &names,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1360,1000",
        ];
        let session = browser.call(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": flags },
                "goog:loggingPrefs": { "browser": "ALL" },
            }}}),
        );
        let id = session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}"));
        browser.session = format!("/session/{id}");
        browser
    }

    pub(crate) fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// The result of a script.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true. Fails, with the page's text, when that takes too long.
    #[track_caller]
    pub(crate) fn wait_for(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            if Instant::now() > deadline {
                let text = self.run("return document.body.innerText");
                panic!("timeout waiting for {expression}; the page shows {text}");
            }
            std::thread::sleep(Duration::from_millis(50)); // the interval of polling
        }
    }

    /// Sends keys to the focused element. `\u{e004}` is the tab key, `\u{e007}` the enter key.
    pub(crate) fn press(&self, keys: &str) {
        let each = |key: char| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        };
        let actions: Vec<Value> = keys.chars().flat_map(each).collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("actions", &json!({ "actions": [keyboard] }));
    }

    /// Changes the window.
    pub(crate) fn look(&self, look: Look) {
        let devtools = |command: &str, params: Value| {
            self.command("goog/cdp/execute", &json!({ "cmd": command, "params": params }));
        };
        let size =
            json!({ "width": look.width, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        devtools("Emulation.setDeviceMetricsOverride", size);
        let feature = |name: &str, value: &str| json!({ "name": name, "value": value });
        let features = [
            feature("prefers-color-scheme", if look.dark { "dark" } else { "light" }),
            feature("prefers-reduced-motion", if look.still { "reduce" } else { "no-preference" }),
        ];
        devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The log of the page since the last call: errors of scripts, of loading, of the policy.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(ToString::to_string).collect()
    }

    fn command(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}/{command}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len(),
        )
        .expect("chromedriver reads");
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect("chromedriver answers");
            match line.to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                _ if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).expect("as many bytes as it says");
        let answer: Value = serde_json::from_slice(&body)
            .unwrap_or_else(|error| panic!("{path}: {error}: {}", body.escape_ascii()));
        let value = &answer["value"];
        assert!(value["error"].is_null() || value["sessionId"].is_string(), "{path}: {value}");
        value.clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session; if the driver is killed, the browser keeps running.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &self.session, &json!({}));
        } else if !self.session.is_empty() {
            let stream = TcpStream::connect(("127.0.0.1", self.port));
            drop(stream.map(|mut stream| {
                write!(stream, "DELETE {} HTTP/1.1\r\nHost: localhost\r\n\r\n", self.session)
                    .and_then(|()| stream.read(&mut [0; 64]))
            }));
        }
        if self.driver.kill().is_ok() {
            self.driver.wait().expect("it was started by us");
        }
    }
}

//! The HTTP listeners: `web` and `admin`.

use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::read::{ReadSettings as _, Shape};
use crate::config::value::{
    ExternalUrl, FilePath, GzipLevel, HostName, HostPort, Listen, PathPrefix, Size, TimeSpan,
    Value, positive,
};
use crate::document::Fields;

/// The data listener.
#[derive(Clone, Debug, Serialize)]
pub struct Web {
    /// The addresses that Prometheus scrapes.
    #[serde(serialize_with = "one_or_several")]
    pub listen_address: Vec<Value<Listen>>,
    /// Whether systemd passes the sockets, in place of these addresses.
    pub systemd_socket: Value<bool>,
    /// What precedes every path of both listeners. Default: the path of `external_url`.
    pub route_prefix: Option<Value<PathPrefix>>,
    /// The URL by which clients reach the data listener through a proxy.
    pub external_url: Option<Value<ExternalUrl>>,
    /// The address by which Prometheus reaches the data listener.
    pub external_address: Option<Value<HostPort>>,
    /// The compression level of responses to clients that accept gzip.
    pub gzip_level: Value<GzipLevel>,
    /// The web configuration file: TLS and users of both listeners.
    pub config_file: Option<Value<FilePath>>,
    /// Most open connections.
    pub max_connections: Value<NonZeroUsize>,
    /// Longest request head.
    pub header_bytes: Value<Size>,
    /// How long a request head may take to arrive.
    pub header_timeout: Value<TimeSpan>,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Value<TimeSpan>,
    /// How long a client may accept no data.
    pub write_timeout: Value<TimeSpan>,
    /// How long a whole response may take.
    pub answer_timeout: Value<TimeSpan>,
    /// Whether `/-/reload` of the admin listener is on.
    pub enable_lifecycle: Value<bool>,
}

impl Default for Web {
    fn default() -> Self {
        Web {
            listen_address: vec![Value::new(Listen(SocketAddr::from(([0, 0, 0, 0], 9542))))],
            systemd_socket: Value::new(false),
            route_prefix: None,
            external_url: None,
            external_address: None,
            gzip_level: Value::new(GzipLevel(1)),
            config_file: None,
            max_connections: positive(512),
            header_bytes: Value::new(Size(16 << 10)),
            header_timeout: Value::new(TimeSpan(Duration::from_secs(10))),
            // Prometheus closes idle connections after five minutes. With a longer limit here, no
            // scrape uses a connection that the gateway is just closing.
            idle_timeout: Value::new(TimeSpan(Duration::from_secs(310))),
            write_timeout: Value::new(TimeSpan(Duration::from_secs(30))),
            answer_timeout: Value::new(TimeSpan(Duration::from_secs(300))),
            enable_lifecycle: Value::new(false),
        }
    }
}

/// The admin listener.
#[derive(Clone, Debug, Serialize)]
pub struct Admin {
    /// The address of the gateway's own metrics and health checks.
    pub listen_address: Value<Listen>,
    /// Most open connections.
    pub max_connections: Value<NonZeroUsize>,
    /// Names by which browsers reach it.
    pub hosts: Vec<Value<HostName>>,
}

impl Default for Admin {
    fn default() -> Self {
        Admin {
            listen_address: Value::new(Listen(SocketAddr::from(([127, 0, 0, 1], 9543)))),
            // Probes, one or two scrapers and a browser.
            max_connections: positive(32),
            hosts: Vec::new(),
        }
    }
}

impl Shape for Web {
    const NOUN: &'static str = "`web`";

    fn read(fields: &mut Fields<'_, '_>) -> Web {
        let default = Web::default();
        Web {
            listen_address: fields.one_or_several("listen_address", default.listen_address),
            systemd_socket: fields.switch_or("systemd_socket", default.systemd_socket),
            route_prefix: fields.optional("route_prefix"),
            external_url: fields.optional("external_url"),
            external_address: fields.optional("external_address"),
            gzip_level: fields.or("gzip_level", default.gzip_level),
            config_file: fields.optional("config_file"),
            max_connections: fields.count_or("max_connections", default.max_connections),
            header_bytes: fields.or("header_bytes", default.header_bytes),
            header_timeout: fields.or("header_timeout", default.header_timeout),
            idle_timeout: fields.or("idle_timeout", default.idle_timeout),
            write_timeout: fields.or("write_timeout", default.write_timeout),
            answer_timeout: fields.or("answer_timeout", default.answer_timeout),
            enable_lifecycle: fields.switch_or("enable_lifecycle", default.enable_lifecycle),
        }
    }
}

impl Shape for Admin {
    const NOUN: &'static str = "`admin`";

    fn read(fields: &mut Fields<'_, '_>) -> Admin {
        let default = Admin::default();
        Admin {
            listen_address: fields.or("listen_address", default.listen_address),
            max_connections: fields.count_or("max_connections", default.max_connections),
            hosts: fields.list("hosts"),
        }
    }
}

/// As it is written: one value without the brackets of a list.
fn one_or_several<T: Display, S: Serializer>(
    values: &[Value<T>],
    to: S,
) -> Result<S::Ok, S::Error> {
    match values {
        [one] => one.serialize(to),
        several => several.serialize(to),
    }
}

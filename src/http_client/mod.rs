//! An HTTP/1.1 client for the commands: Prometheus, Grafana, a Kong, or a running gateway.
//!
//! A [`Client`] has a base URL, which may have a path (`https://host/prometheus`), and the settings
//! of requests in the syntax of Prometheus' `http_config`: credentials, headers, TLS. A [`Request`]
//! is a method, a path below the base URL, a query and a body. A [`Response`] has a status and a
//! body, which is read as a whole with a limit, or in pieces while it arrives.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use crossfade::http_client::{Client, Request, Timeouts};
//! use crossfade::scrape::HttpSettings;
//!
//! let url = "https://monitoring.example/prometheus".parse()?;
//! let client = Client::new(url, HttpSettings::default(), Timeouts::default())?;
//! let request = Request::get("/api/v1/rules").query("type", "alert");
//! let body = client.send(request).await?.success().await?.whole(1 << 20).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Blocking`] is the same for commands that are not asynchronous; its bodies are `std::io::Read`.
//!
//! Every request has a connection of its own. Redirects are not followed: the credentials are for
//! the server that was named. Nothing that is shown contains a secret: URLs are without their users
//! and queries, headers are never shown, and in the message of a server the secrets of the request are
//! hidden.
//!
//! Scrapes have a client of their own, in `scrape::upstream`: it keeps connections open.

mod blocking;
mod client;
mod connection;
mod error;
mod request;
mod response;
mod secrets;
mod timeouts;

pub use self::blocking::{Blocking, Body};
pub use self::client::Client;
pub use self::error::Error;
pub use self::request::Request;
pub use self::response::Response;
pub use self::timeouts::Timeouts;

//! `http_server`: clients that misbehave, workers, TLS and authentication.

mod clients;
mod panics;
mod placement;
mod web_config;

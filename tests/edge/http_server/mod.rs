//! `http_server`: clients that misbehave, TLS and authentication.

mod clients;
mod panics;
mod web_config;

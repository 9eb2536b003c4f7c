//! `http_server`: clients that misbehave, TLS and authentication.

mod clients;
mod web_config;

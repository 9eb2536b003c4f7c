//! Crossfade: a metrics gateway that keeps dashboards continuous across a rename.

pub mod exposition;
pub mod mapping;
pub mod packs;
pub mod rewrite;
pub mod statsd;

pub mod telemetry;

pub mod listen;
pub mod relay;
pub mod scrape;

pub mod cases;
pub mod verify;

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod demo;

//! A gateway in this process, with raw sockets as clients and upstreams.
//!
//! Client and upstream use plain TCP, so that they can violate the protocol and share no code with
//! the gateway.

mod bystander;
mod client;
mod gateway;
mod names;
mod tls;
mod upstream;

pub(crate) use bystander::Bystander;
pub(crate) use client::{Client, End, Reply, get, request};
pub(crate) use gateway::Gateway;
pub(crate) use names::Names;
pub(crate) use tls::{Authority, Folder, Issued};
pub(crate) use upstream::{Exchange, Refusing, Upstream, chunked, ok, whole};

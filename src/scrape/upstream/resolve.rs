//! From a target's name to its addresses.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// Addresses that are being looked up.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Looks names up.
///
/// It is asked for each connection that is opened, and need not say the same twice: what it says is held against the
/// allow-list every time.
pub trait Resolve: Debug + Send + Sync {
    /// The addresses of a host, which may itself be one, in the order in which they are to be tried.
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a>;
}

/// Asks the system: `/etc/hosts`, name servers, and whatever else it is set up to ask.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
        Box::pin(async move { tokio::net::lookup_host((host, port)).await.map(Iterator::collect) })
    }
}

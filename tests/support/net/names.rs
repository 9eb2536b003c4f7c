//! A name service whose answers change.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use crossfade::scrape::{Lookup, Resolve};

/// Names, each with a sequence of address lists. The last list is repeated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    answers: Arc<Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    /// Sets the sequence of address lists of a name.
    pub(crate) fn set(&self, name: &str, answers: &[&[&str]]) {
        let address = |text: &&str| text.parse().expect("an address");
        let answers = answers.iter().map(|answer| answer.iter().map(address).collect());
        let mut all = self.answers.lock().expect("no thread panicked");
        all.insert(name.to_owned(), answers.collect());
    }

    /// The names that were resolved since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no thread panicked"))
    }
}

impl Resolve for Names {
    fn lookup<'a>(&'a self, host: &'a str, port: u16) -> Lookup<'a> {
        self.asked.lock().expect("no thread panicked").push(host.to_owned());
        let mut all = self.answers.lock().expect("no thread panicked");
        let answers = all.get_mut(host);
        let found = answers.and_then(|answers| {
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        });
        let addresses = found.map(|found| {
            found.into_iter().map(|address| SocketAddr::new(address, port)).collect::<Vec<_>>()
        });
        let none = || io::Error::new(io::ErrorKind::NotFound, "no such name");
        Box::pin(async move { addresses.ok_or_else(none) })
    }
}

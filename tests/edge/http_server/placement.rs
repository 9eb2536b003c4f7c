//! Which worker serves a connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossfade::http_server::{Limits, Listener, Settings, Workers};
use crossfade::shutdown::Shutdown;
use crossfade::telemetry::Metrics;
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::support::net::Client;

/// The threads on which it was cloned or used. A listener clones its answer, with what it captures,
/// for each connection that it accepts.
#[derive(Default)]
struct Threads(Arc<Mutex<BTreeSet<String>>>);

impl Threads {
    fn add_this_one(&self) {
        self.0.lock().expect("no thread panicked").insert(thread_name());
    }
}

impl Clone for Threads {
    fn clone(&self) -> Threads {
        self.add_this_one();
        Threads(Arc::clone(&self.0))
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn one_connection_needs_one_thread_and_many_are_spread() {
    let minute = Duration::from_secs(60);
    let limits = Limits {
        max_connections: 100,
        header_bytes: 1000,
        header_timeout: minute,
        idle_timeout: minute,
        write_timeout: minute,
        answer_timeout: minute,
    };
    let settings = Settings { addresses: vec![([127, 0, 0, 1], 0).into()], limits };
    let metrics = Metrics::new().http_listener("data");
    let listener = Listener::bind(settings, None, metrics).await.expect("a free port");
    let address = listener.addresses()[0];
    let threads = Threads::default();
    let seen = Arc::clone(&threads.0);
    let answer = move |_: Request<Incoming>| {
        threads.add_this_one();
        async { Response::new(thread_name()) }
    };
    let workers = Workers::start(2).expect("two threads");
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let serving = tokio::spawn(async move { listener.serve(&workers, answer, &stop).await });

    for _ in 0..10 {
        let mut client = Client::connect(address).await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert_eq!(client.reply(false).await.text(), "worker-0");
        assert!(client.is_closed().await);
    }
    assert_eq!(*seen.lock().expect("no thread panicked"), ["worker-0".to_owned()].into());

    let mut open = Vec::new();
    let mut connections = BTreeMap::<String, usize>::new();
    for _ in 0..50 {
        let mut client = Client::connect(address).await;
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        *connections.entry(client.reply(false).await.text().to_owned()).or_default() += 1;
        open.push(client);
    }
    assert_eq!(connections, [("worker-0".to_owned(), 25), ("worker-1".to_owned(), 25)].into());
    shutdown.drain();
    serving.await.expect("the listener does not panic");
}

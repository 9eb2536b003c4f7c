//! The body of a response of a target.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};

use super::connection::{Connection, innermost};
use super::idle::IdleConnections;
use crate::scrape::error::Error;

/// A connection is not kept after a longer body, because it would keep its buffer of 128 KiB as
/// well. A new connection costs a fraction of a millisecond in a scrape that takes many.
const MAX_KEPT_BODY_BYTES: u64 = 1 << 20;

/// The body of a response, as it arrives.
#[derive(Debug)]
pub(in crate::scrape) struct UpstreamBody {
    incoming: Incoming,
    has_length: bool,
    read_bytes: u64,
    /// `None` once the body has ended and the connection was returned or closed.
    connection: Option<Connection>,
    idle: Arc<IdleConnections>,
}

impl UpstreamBody {
    pub(super) fn new(
        incoming: Incoming,
        connection: Connection,
        idle: Arc<IdleConnections>,
    ) -> UpstreamBody {
        let has_length = incoming.size_hint().exact().is_some();
        UpstreamBody { incoming, has_length, read_bytes: 0, connection: Some(connection), idle }
    }

    /// Whether the head has the length of the body.
    pub(in crate::scrape) fn has_length(&self) -> bool {
        self.has_length
    }

    /// The next bytes of the body; `None` at its end.
    pub(in crate::scrape) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    if let Some(connection) = &mut self.connection {
                        connection.drive(cx);
                    }
                    match Pin::new(&mut self.incoming).poll_frame(cx) {
                        Poll::Ready(frame) => frame,
                        Poll::Pending => return Poll::Pending,
                    }
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    // The other kind of frame is trailers, which are ignored.
                    if let Ok(chunk) = frame.into_data() {
                        self.read_bytes += chunk.len() as u64;
                        return Poll::Ready(Ok(Some(chunk)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(Error::Cut(innermost(&error)))),
                None => return Poll::Ready(self.end(cx).map(|()| None)),
            }
        }
    }

    /// Returns the connection, unless the target has sent more than it had announced.
    fn end(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(mut connection) = self.connection.take() else { return Ok(()) };
        connection.drive(cx);
        if self.has_length && connection.has_overrun() {
            return Err(Error::Overlong);
        }
        if connection.is_ready() && self.read_bytes <= MAX_KEPT_BODY_BYTES {
            self.idle.keep(connection);
        }
        Ok(())
    }
}

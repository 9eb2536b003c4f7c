//! Paths of a target that are forwarded unchanged, such as `/status` for probes in a sidecar.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use super::error::Error;
use super::upstream::UpstreamBody;
use super::work::Slice;

/// A body that is forwarded as it arrives.
#[derive(Debug)]
pub(super) struct PassthroughBody {
    body: UpstreamBody,
    deadline: Pin<Box<Sleep>>,
    timeout: std::time::Duration,
    slice: Slice,
}

impl PassthroughBody {
    pub(super) fn new(
        body: UpstreamBody,
        timeout: std::time::Duration,
        deadline: Instant,
    ) -> PassthroughBody {
        let deadline = Box::pin(tokio::time::sleep_until(deadline));
        PassthroughBody { body, deadline, timeout, slice: Slice::new() }
    }
}

impl Body for PassthroughBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if this.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Error::Timeout(this.timeout))));
        }
        ready!(this.slice.poll_proceed(cx));
        let chunk = ready!(this.body.poll_chunk(cx));
        if let Ok(Some(chunk)) = &chunk {
            this.slice.charge(chunk.len());
        }
        Poll::Ready(chunk.transpose().map(|chunk| chunk.map(Frame::data)))
    }
}

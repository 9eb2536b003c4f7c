//! Buffers that are reused after their bytes have been sent.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// One is filled while another waits for the client.
const MAX_KEPT: usize = 2;

/// The buffers of one exposition.
///
/// The task that sends a piece of a body owns it. Pieces are so large that allocators get their
/// memory from the kernel page by page, so a new buffer for each piece would cost as much as
/// rewriting it.
#[derive(Clone, Debug, Default)]
pub(super) struct BufferPool(Arc<Mutex<Vec<Vec<u8>>>>);

impl BufferPool {
    /// An empty buffer: a used one, if possible.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.kept().pop().unwrap_or_default()
    }

    /// The buffer as bytes to send. It is returned to the pool when the last of them is dropped.
    pub(super) fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, pool: self.clone() })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        // Buffers are pushed and popped whole, so a panic leaves the pool consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    buffer: Vec<u8>,
    pool: BufferPool,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        let mut kept = self.pool.kept();
        if kept.len() < MAX_KEPT {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty() {
        let pool = BufferPool::default();
        let mut buffer = pool.buffer();
        buffer.extend_from_slice(b"up 1\n");
        let place = buffer.as_ptr();
        let bytes = pool.lend(buffer);
        let rest = bytes.slice(3..);
        drop(bytes);
        assert_eq!(pool.buffer().capacity(), 0, "still lent");
        assert_eq!(&rest[..], b"1\n");
        drop(rest);
        let again = pool.buffer();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn only_so_many_are_kept() {
        let pool = BufferPool::default();
        let lent: Vec<Bytes> = (0..5).map(|_| pool.lend(vec![b'x'])).collect();
        drop(lent);
        assert_eq!(pool.kept().len(), MAX_KEPT);
    }
}

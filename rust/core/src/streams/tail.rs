//! The last bytes that came from a socket, to be said again where they may have been lost.

use std::collections::VecDeque;

/// At most so many of them.
#[derive(Debug, Default)]
pub(super) struct Tail {
    limit: usize,
    ring: VecDeque<u8>,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ring: VecDeque::new(),
        }
    }

    /// Keep more, and less of what was before.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(self.limit)..);
        let kept = kept.unwrap_or_default();
        let excess = (self.ring.len() + kept.len()).saturating_sub(self.limit);
        self.ring.drain(..excess.min(self.ring.len()));
        let needed = self.ring.len() + kept.len();
        if needed > self.ring.capacity() {
            let doubled = needed.max(2 * self.ring.capacity()).min(self.limit);
            self.ring.reserve_exact(doubled - self.ring.len());
        }
        self.ring.extend(kept);
    }

    /// Memory that it takes.
    pub(super) fn reserved_bytes(&self) -> usize {
        self.ring.capacity()
    }

    /// Keep nothing of what was before.
    pub(super) fn clear(&mut self) {
        self.ring = VecDeque::new();
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.ring.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_are_there_in_order() {
        let mut tail = Tail::new(5);
        for bytes in [&b"abc"[..], b"", b"defg"] {
            tail.push(bytes);
        }
        assert_eq!(tail.into_bytes(), b"cdefg");

        let mut tail = Tail::new(2);
        tail.push(b"abcd");
        assert_eq!(tail.into_bytes(), b"cd");
    }

    #[test]
    fn it_takes_no_more_memory_than_it_may_keep() {
        let mut tail = Tail::new(100_000);
        for _ in 0..100 {
            tail.push(&[7; 3_333]);
            assert!(tail.reserved_bytes() <= 100_000);
        }

        tail.clear();
        assert_eq!(tail.reserved_bytes(), 0);
        tail.push(b"abc");
        assert_eq!(tail.into_bytes(), b"abc");
    }

    #[test]
    fn without_a_limit_nothing_is_kept() {
        let mut tail = Tail::default();
        tail.push(b"abc");
        assert!(tail.into_bytes().is_empty());
    }
}

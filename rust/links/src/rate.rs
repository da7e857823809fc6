//! A link's rate: one datagram after the other, and a bounded queue in front.

/// IPv4 and UDP headers, which a real link carries as well.
const HEADER_BYTES: u64 = 28;
const NS_PER_S: u128 = 1_000_000_000;

/// Serialises datagrams at a fixed rate. Exact: what a nanosecond cannot express is carried over.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    /// Bits per second; 0 is unlimited.
    bps: u64,
    queue_bytes: u64,
    busy_until_ns: u64,
    /// Part of a nanosecond beyond `busy_until_ns`, in units of 1/bps ns.
    busy_fraction: u64,
}

impl Rate {
    pub(crate) fn new(bps: u64, queue_bytes: u64) -> Self {
        Self {
            bps,
            queue_bytes,
            busy_until_ns: 0,
            busy_fraction: 0,
        }
    }

    /// When the last bit of a datagram of `length` bytes is on the wire; `None` if the queue is full.
    ///
    /// An idle link takes any datagram, however small its queue.
    pub(crate) fn transmit(&mut self, now_ns: u64, length: usize) -> Option<u64> {
        if self.bps == 0 {
            return Some(now_ns);
        }
        let bytes = length as u64 + HEADER_BYTES;
        if self.busy_until_ns < now_ns {
            (self.busy_until_ns, self.busy_fraction) = (now_ns, 0);
        }
        let waiting_bytes = self.waiting_bytes(now_ns);
        if waiting_bytes > 0 && waiting_bytes.saturating_add(bytes) > self.queue_bytes {
            return None;
        }
        let bps = u128::from(self.bps);
        let work = u128::from(bytes) * 8 * NS_PER_S + u128::from(self.busy_fraction);
        self.busy_until_ns = self.busy_until_ns.saturating_add((work / bps) as u64);
        self.busy_fraction = (work % bps) as u64;
        Some(self.busy_until_ns)
    }

    fn waiting_bytes(&self, now_ns: u64) -> u64 {
        let left_ns = u128::from(self.busy_until_ns.saturating_sub(now_ns));
        (left_ns * u128::from(self.bps)).div_ceil(8 * NS_PER_S) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spaces_datagrams_exactly() {
        let mut rate = Rate::new(3_000_000, u64::MAX); // 100 B take 266 666.67 ns

        let ends: Vec<_> = (0..3_000).map(|_| rate.transmit(0, 72).unwrap()).collect();

        assert_eq!(ends[..3], [266_666, 533_333, 800_000]);
        assert_eq!(ends[2_999], 800_000_000);
    }

    #[test]
    fn an_idle_link_starts_at_once() {
        let mut rate = Rate::new(8_000_000_000, 1_000);
        rate.transmit(0, 972);

        assert_eq!(rate.transmit(5_000, 972), Some(6_000));
    }

    #[test]
    fn the_queue_holds_its_bytes_and_no_more() {
        let mut rate = Rate::new(8_000_000_000, 3_000); // 1 B each ns

        let taken = (0..10).filter(|_| rate.transmit(0, 972).is_some()).count();

        assert_eq!(taken, 3);
        assert_eq!(rate.transmit(999, 972), None);
        assert_eq!(rate.transmit(1_000, 972), Some(4_000));
    }

    #[test]
    fn a_tiny_queue_still_carries_one_datagram_at_a_time() {
        let mut rate = Rate::new(8_000_000_000, 1);

        assert_eq!(rate.transmit(0, 972), Some(1_000));
        assert_eq!(rate.transmit(500, 972), None);
        assert_eq!(rate.transmit(1_000, 972), Some(2_000));
    }
}

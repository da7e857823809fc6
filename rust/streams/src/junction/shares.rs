//! How often each peer may ask for what costs much: handshakes of TLS.

use std::collections::HashMap;

/// As many at once, after a while without any.
const BURST: u64 = 400;
/// And so long for each afterwards: 200 in a second.
const EACH_NS: u64 = 5_000_000;

/// Whose share is used up until when.
#[derive(Debug, Default)]
pub(super) struct Shares {
    used_until_ns: HashMap<[u8; 16], u64>,
}

impl Shares {
    /// Take one; false when the peer has had its share.
    pub(super) fn take(&mut self, now_ns: u64, peer: [u8; 16]) -> bool {
        let used_until_ns = self.used_until_ns.entry(peer).or_default();
        let next_ns = (*used_until_ns).max(now_ns) + EACH_NS;
        let has_one = next_ns <= now_ns + BURST * EACH_NS;
        if has_one {
            *used_until_ns = next_ns;
        }
        has_one
    }

    /// Forget peers that have their whole share again.
    pub(super) fn tidy(&mut self, now_ns: u64) {
        self.used_until_ns.retain(|_, until_ns| *until_ns > now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_so_many_at_once_and_then_one_after_another() {
        let mut shares = Shares::default();
        let now_ns = 1_000_000_000;

        let at_once = (0..1_000).filter(|_| shares.take(now_ns, [1; 16])).count();

        assert_eq!(at_once as u64, BURST);
        assert!(shares.take(now_ns, [2; 16]));
        assert!(shares.take(now_ns + EACH_NS, [1; 16]));
        assert!(!shares.take(now_ns + EACH_NS, [1; 16]));
    }

    #[test]
    fn a_peer_that_has_all_of_its_share_is_forgotten() {
        let mut shares = Shares::default();
        shares.take(0, [1; 16]);

        shares.tidy(EACH_NS - 1);
        assert_eq!(shares.used_until_ns.len(), 1);

        shares.tidy(EACH_NS);
        assert_eq!(shares.used_until_ns.len(), 0);
    }
}

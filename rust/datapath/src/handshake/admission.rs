//! Who may cost us a handshake: per-source rate, load, and initiations seen before.
//!
//! A handshake costs a responder about 0.2 ms, a forged initiation its sender nothing. So a source
//! whose address is not proved by a cookie gets at most 20 a second, and none while we are loaded; a
//! proved one gets 20 a second always (wireguard-go, ratelimiter.go and device.go).

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const SECOND_NS: u64 = 1_000_000_000;
/// Handshakes per second of one source (wireguard-go, ratelimiter.go).
pub const SOURCE_RATE_PER_S: u64 = 20;
/// Handshakes of one source that may come at once.
pub const SOURCE_BURST: u64 = 5;
/// Initiations waiting at which cookies are demanded: an eighth of WireGuard's queue of 1,024.
pub const LOAD_QUEUE: u64 = 128;
/// How long the load is taken to last after it was last seen.
pub const LOAD_STICKY_NS: u64 = SECOND_NS;
/// Initiations that we work off each second at most without calling it load: half of what one core
/// does (`ei bench handshake`), since the same core forwards.
pub const LOAD_DRAIN_PER_S: u64 = 2_000;
/// Sources whose rate is remembered; beyond it the idle ones are forgotten first.
const MAX_SOURCES: usize = 4_096;
/// Ephemeral keys of accepted initiations that are remembered.
const MAX_EPHEMERALS: usize = 1_024;

/// What may be done for an initiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Do the handshake.
    Admitted,
    /// Answer with a cookie.
    CookieFirst,
    /// Its source exceeds its rate.
    OverRate,
}

/// The responder's memory of who asked. Bounded; grows only as sources come.
#[derive(Debug, Default)]
pub struct Gate {
    backlog: Leaky,
    loaded_until_ns: u64,
    unproved: Sources,
    proved: Sources,
    ephemerals: VecDeque<[u8; 16]>,
}

impl Gate {
    /// An initiation with a right `mac1` came from `from`.
    pub fn admit(&mut self, now_ns: u64, from: SocketAddr, is_proved: bool) -> Admission {
        if is_proved {
            return if self.proved.take(now_ns, from.ip()) {
                Admission::Admitted
            } else {
                Admission::OverRate
            };
        }
        let queued = self.backlog.add(now_ns, LOAD_DRAIN_PER_S, 8 * LOAD_QUEUE);
        if queued >= LOAD_QUEUE {
            self.loaded_until_ns = now_ns + LOAD_STICKY_NS;
        }
        if now_ns < self.loaded_until_ns || !self.unproved.take(now_ns, from.ip()) {
            return Admission::CookieFirst;
        }
        Admission::Admitted
    }

    /// Whether cookies are being demanded.
    pub fn is_loaded(&self, now_ns: u64) -> bool {
        now_ns < self.loaded_until_ns
    }

    /// Whether an initiation with this ephemeral key was accepted lately.
    pub fn is_seen(&self, ephemeral: &[u8; 16]) -> bool {
        self.ephemerals.contains(ephemeral)
    }

    /// Remember the ephemeral key of an accepted initiation.
    pub fn remember(&mut self, ephemeral: [u8; 16]) {
        if self.ephemerals.len() == MAX_EPHEMERALS {
            self.ephemerals.pop_front();
        }
        self.ephemerals.push_back(ephemeral);
    }
}

/// A queue that we do not have: arrivals are worked off at once, their rate is what loads us.
#[derive(Debug, Default)]
struct Leaky {
    /// Level in billionths, so that no time is lost to rounding.
    level_nano: u64,
    at_ns: u64,
}

impl Leaky {
    fn add(&mut self, now_ns: u64, drain_per_s: u64, limit: u64) -> u64 {
        let passed_ns = now_ns.saturating_sub(self.at_ns);
        self.at_ns = self.at_ns.max(now_ns);
        let drained = passed_ns.saturating_mul(drain_per_s);
        let level = self
            .level_nano
            .saturating_sub(drained)
            .saturating_add(SECOND_NS);
        self.level_nano = level.min(limit.saturating_mul(SECOND_NS));
        self.level_nano / SECOND_NS
    }
}

/// A token bucket per source: an IPv4 address, or an IPv6 network of 64 bits.
#[derive(Debug, Default)]
struct Sources {
    /// Time at which the bucket will be full again.
    full_at_ns: HashMap<Ipv6Addr, u64>,
}

impl Sources {
    fn take(&mut self, now_ns: u64, ip: IpAddr) -> bool {
        const TOKEN_NS: u64 = SECOND_NS / SOURCE_RATE_PER_S;
        let source = source_of(ip);
        if self.full_at_ns.len() >= MAX_SOURCES && !self.full_at_ns.contains_key(&source) {
            self.full_at_ns.retain(|_, full_at_ns| *full_at_ns > now_ns);
            if self.full_at_ns.len() >= MAX_SOURCES {
                return false;
            }
        }
        let full_at_ns = self.full_at_ns.entry(source).or_insert(now_ns);
        let next = (*full_at_ns).max(now_ns) + TOKEN_NS;
        if next > now_ns + SOURCE_BURST * TOKEN_NS {
            return false;
        }
        *full_at_ns = next;
        true
    }
}

fn source_of(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) & !u128::from(u64::MAX);
            Ipv6Addr::from(network)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(last: u32) -> SocketAddr {
        SocketAddr::from(((0x7f00_0000 + last).to_be_bytes(), 3535))
    }

    #[test]
    fn a_source_may_burst_5_and_then_20_a_second() {
        let mut gate = Gate::default();
        let admitted = |gate: &mut Gate, now_ns| gate.admit(now_ns, source(1), true);

        for _ in 0..5 {
            assert_eq!(admitted(&mut gate, 0), Admission::Admitted);
        }
        assert_eq!(admitted(&mut gate, 0), Admission::OverRate);
        assert_eq!(admitted(&mut gate, SECOND_NS / 20 - 1), Admission::OverRate);
        assert_eq!(admitted(&mut gate, SECOND_NS / 20), Admission::Admitted);
    }

    #[test]
    fn an_unproved_source_over_its_rate_must_prove_itself() {
        let mut gate = Gate::default();
        for _ in 0..5 {
            assert_eq!(gate.admit(0, source(1), false), Admission::Admitted);
        }

        assert_eq!(gate.admit(0, source(1), false), Admission::CookieFirst);
        assert_eq!(gate.admit(0, source(1), true), Admission::Admitted);
        assert_eq!(gate.admit(0, source(2), false), Admission::Admitted);
    }

    #[test]
    fn many_sources_at_once_are_load_and_it_ends_after_a_second() {
        let mut gate = Gate::default();
        for last in 0..127 {
            assert_eq!(gate.admit(0, source(last), false), Admission::Admitted);
        }

        assert_eq!(gate.admit(0, source(200), false), Admission::CookieFirst);
        assert!(gate.is_loaded(LOAD_STICKY_NS - 1));
        assert_eq!(gate.admit(0, source(200), true), Admission::Admitted);
        assert_eq!(
            gate.admit(LOAD_STICKY_NS, source(201), false),
            Admission::Admitted
        );
    }

    #[test]
    fn b9_the_table_of_sources_is_bounded_and_recovers() {
        let mut gate = Gate::default();
        for last in 0..2 * MAX_SOURCES as u32 {
            gate.admit(0, source(last), true);
        }
        assert_eq!(gate.proved.full_at_ns.len(), MAX_SOURCES);
        assert_eq!(gate.admit(0, source(1 << 20), true), Admission::OverRate);

        assert_eq!(
            gate.admit(SECOND_NS, source(1 << 20), true),
            Admission::Admitted
        );
        assert_eq!(gate.proved.full_at_ns.len(), 1);
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        assert_eq!(
            source_of("fd00::1".parse().unwrap()),
            source_of("fd00::ffff:2".parse().unwrap())
        );
        assert_ne!(
            source_of("fd00:0:0:1::1".parse().unwrap()),
            source_of("fd00::1".parse().unwrap())
        );
    }

    #[test]
    fn the_last_1024_ephemeral_keys_are_remembered() {
        let mut gate = Gate::default();
        let key = |index: u32| (u128::from(index)).to_le_bytes();
        for index in 0..1_025 {
            gate.remember(key(index));
        }

        assert!(!gate.is_seen(&key(0)));
        assert!(gate.is_seen(&key(1)));
        assert!(gate.is_seen(&key(1_024)));
    }

    proptest! {
        /// A2: in any window of time, at most rate × time + burst.
        #[test]
        fn a2_no_schedule_exceeds_the_rate(
            gaps_ms in proptest::collection::vec(0u64..200, 1..400),
        ) {
            let mut gate = Gate::default();
            let mut now_ns = 0;
            let mut admitted = Vec::new();
            for gap_ms in gaps_ms {
                now_ns += gap_ms * 1_000_000;
                if gate.admit(now_ns, source(1), true) == Admission::Admitted {
                    admitted.push(now_ns);
                }
            }
            for (index, start) in admitted.iter().enumerate() {
                for (later, end) in admitted.iter().enumerate().skip(index) {
                    let count = (later - index + 1) as u64;
                    let allowed = (end - start) * SOURCE_RATE_PER_S / SECOND_NS + SOURCE_BURST;
                    prop_assert!(count <= allowed);
                }
            }
        }
    }
}

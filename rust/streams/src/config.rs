//! What an endpoint may use, and how its QUIC is tuned.

use std::sync::Arc;
use std::time::Duration;

use quinn_proto::congestion::CubicConfig;
use quinn_proto::{AckFrequencyConfig, IdleTimeout, TransportConfig, VarInt};

use crate::StreamsError;
use crate::congestion::BoundedCubic;
use crate::probing::Slip;

/// Configuration of a `Streams`. Start from [`StreamsConfig::new`] and change what differs.
#[derive(Clone)]
pub struct StreamsConfig {
    /// The host's Ed25519 private key, 32 bytes (RFC 8032).
    pub identity_key: [u8; 32],
    /// 32 bytes for a repeatable run, for simulation only; `None` takes the system's randomness.
    pub seed: Option<[u8; 32]>,
    /// Largest payload sent, 1,200 to 65,000 bytes. Every path must carry it: nothing larger or smaller is
    /// tried.
    pub max_payload_bytes: u16,
    /// Payloads that one transmit may hold, 1 to 64.
    pub max_transmit_payloads: usize,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time with one peer, either side having opened them.
    pub max_connections_per_peer: usize,
    /// Incoming connections that wait for a key at a time; more are dropped, and their peers try again.
    pub max_incoming: usize,
    /// The same for one peer.
    pub max_incoming_per_peer: usize,
    /// Streams of each kind that a peer may have open at a time on one connection.
    pub max_streams: u32,
    /// Bytes that one connection may hold unread, at most.
    pub receive_window_bytes: u64,
    /// A stream alone may hold one so manieth of that: so many that nobody reads stop all others.
    pub stream_share: u64,
    /// Bytes that one connection may hold unacknowledged or unsent, at most.
    pub send_window_bytes: u64,
    /// Bytes that the windows of all connections may add up to. The more connections there are, the smaller
    /// are the windows of the next.
    pub buffer_bytes: u64,
    /// The windows of the next connection are one so manieth of what is left of that.
    pub window_share: u64,
    /// And that times the part that is left: the first get much, and there is still room for many.
    pub has_steep_shares: bool,
    /// A connection ends when nothing is heard for this long; 0 never ends it.
    pub idle_timeout_ns: u64,
    /// An idle connection sends something this often; 0 sends nothing.
    pub keepalive_ns: u64,
    /// A connection ends when its handshake takes longer than this.
    pub handshake_timeout_ns: u64,
    /// An incoming connection whose key is not found is refused after this.
    pub key_timeout_ns: u64,
    /// What a lost connection received stays readable for this long, or until `close`.
    pub linger_ns: u64,
}

const SECOND_NS: u64 = 1_000_000_000;

/// The smallest windows a connection gets, in sum: two streams of 64 KiB to receive and as much to send.
pub(crate) const MIN_WINDOWS_BYTES: u64 = 192 * 1024;

impl StreamsConfig {
    /// The defaults for the host of `identity_key`.
    pub fn new(identity_key: [u8; 32]) -> Self {
        Self {
            identity_key,
            seed: None,
            // Hosts may rely on 1,280 B inside an L3.5 payload; 48 B less leaves room for a service's own
            // framing.
            max_payload_bytes: 1_232,
            max_transmit_payloads: 48,
            max_connections: 1_024,
            max_connections_per_peer: 64,
            max_incoming: 256,
            max_incoming_per_peer: 16,
            max_streams: 256,
            receive_window_bytes: 16 * 1024 * 1024,
            stream_share: 2,
            send_window_bytes: 8 * 1024 * 1024,
            buffer_bytes: 1024 * 1024 * 1024,
            window_share: 8,
            has_steep_shares: false,
            // RFC 9308 3.2.
            idle_timeout_ns: 30 * SECOND_NS,
            keepalive_ns: 0,
            handshake_timeout_ns: 10 * SECOND_NS,
            key_timeout_ns: 5 * SECOND_NS,
            linger_ns: 30 * SECOND_NS,
        }
    }

    pub(crate) fn check(&self) -> Result<(), StreamsError> {
        let within = |name: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(StreamsError::BadConfig(format!(
                "{name} is {value}, allowed are {least} to {most}"
            )))
        };
        const YEAR_NS: u64 = 365 * 24 * 3_600 * SECOND_NS;
        within(
            "max_payload_bytes",
            self.max_payload_bytes.into(),
            1_200,
            65_000,
        )?;
        within(
            "max_transmit_payloads",
            self.max_transmit_payloads as u64,
            1,
            64,
        )?;
        within("max_connections", self.max_connections as u64, 1, 1 << 20)?;
        within(
            "max_connections_per_peer",
            self.max_connections_per_peer as u64,
            1,
            1 << 20,
        )?;
        within("max_incoming", self.max_incoming as u64, 1, 1 << 16)?;
        within(
            "max_incoming_per_peer",
            self.max_incoming_per_peer as u64,
            1,
            1 << 16,
        )?;
        within("max_streams", self.max_streams.into(), 1, 1 << 16)?;
        within(
            "receive_window_bytes",
            self.receive_window_bytes,
            MIN_WINDOWS_BYTES,
            1 << 32,
        )?;
        within(
            "send_window_bytes",
            self.send_window_bytes,
            MIN_WINDOWS_BYTES,
            1 << 32,
        )?;
        within(
            "buffer_bytes",
            self.buffer_bytes,
            MIN_WINDOWS_BYTES,
            1 << 48,
        )?;
        within("stream_share", self.stream_share, 1, 64)?;
        within("window_share", self.window_share, 1, 1 << 16)?;
        within("idle_timeout_ns", self.idle_timeout_ns, 0, YEAR_NS)?;
        within("keepalive_ns", self.keepalive_ns, 0, YEAR_NS)?;
        within(
            "handshake_timeout_ns",
            self.handshake_timeout_ns,
            1,
            YEAR_NS,
        )?;
        within("key_timeout_ns", self.key_timeout_ns, 1, YEAR_NS)?;
        within("linger_ns", self.linger_ns, 0, YEAR_NS)
    }

    /// Windows for one more connection when others have reserved `reserved_bytes`; `None` when there is
    /// nothing left. A share of what is left, so that the first connections are fast and many can follow;
    /// those of a peer that has `of_peer` already get ever less, so that all of its own leave most to others.
    pub(crate) fn windows(&self, reserved_bytes: u64, of_peer: usize) -> Option<Windows> {
        let left = self.buffer_bytes.saturating_sub(reserved_bytes);
        if left < MIN_WINDOWS_BYTES {
            return None;
        }
        let turn = (of_peer as u64).saturating_add(1);
        let mut share = left / self.window_share.saturating_mul(turn.saturating_mul(turn));
        if self.has_steep_shares {
            // In parts of 1,024.
            share = share / 1_024 * (left.saturating_mul(1_024) / self.buffer_bytes);
        }
        let share = share.clamp(MIN_WINDOWS_BYTES, left);
        Some(Windows {
            receive_bytes: self.receive_window_bytes.min(share * 2 / 3),
            send_bytes: self.send_window_bytes.min(share / 3),
        })
    }

    pub(crate) fn transport(
        &self,
        windows: Windows,
        slip: &Slip,
    ) -> Result<Arc<TransportConfig>, StreamsError> {
        let varint = |value: u64| {
            VarInt::from_u64(value).map_err(|error| StreamsError::BadConfig(error.to_string()))
        };
        let mut acknowledgements = AckFrequencyConfig::default();
        acknowledgements
            .ack_eliciting_threshold(VarInt::from_u32(ACK_EVERY_PAYLOADS - 1))
            .reordering_threshold(VarInt::from_u32(ACK_OUT_OF_ORDER));
        let mut cubic = CubicConfig::default();
        cubic.initial_window(INITIAL_WINDOW_PAYLOADS * u64::from(self.max_payload_bytes));
        let congestion = BoundedCubic {
            cubic: Arc::new(cubic),
            most_bytes: windows.send_bytes,
            slip: slip.clone(),
        };
        let idle = match self.idle_timeout_ns {
            0 => None,
            ns => Some(
                IdleTimeout::try_from(Duration::from_nanos(ns))
                    .map_err(|error| StreamsError::BadConfig(error.to_string()))?,
            ),
        };
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(self.max_streams))
            .max_concurrent_uni_streams(VarInt::from_u32(self.max_streams))
            .max_idle_timeout(idle)
            .keep_alive_interval(
                (self.keepalive_ns > 0).then(|| Duration::from_nanos(self.keepalive_ns)),
            )
            .stream_receive_window(varint(windows.receive_bytes / self.stream_share)?)
            .receive_window(varint(windows.receive_bytes)?)
            .send_window(windows.send_bytes)
            .initial_rtt(INITIAL_RTT)
            .packet_threshold(REORDER_PAYLOADS)
            .time_threshold(LOSS_ROUND_TRIPS)
            .initial_mtu(self.max_payload_bytes)
            .min_mtu(self.max_payload_bytes)
            .mtu_discovery_config(None)
            .ack_frequency_config(Some(acknowledgements))
            .congestion_controller_factory(Arc::new(congestion))
            .datagram_receive_buffer_size(None)
            .allow_spin(false);
        Ok(Arc::new(transport))
    }
}

/// What is assumed of a path until it is measured: the handshake is repeated after three times this. RFC 9002
/// says 333 ms, at which 2 of 50 handshakes over a path that loses 30 % take longer than 10 s, as does 1 at 100 ms,
/// since a greeting with a key of ML-KEM is two payloads; a path of 1.5 s then sees its first ones three times.
const INITIAL_RTT: Duration = Duration::from_millis(75);

/// An acknowledgement for this many payloads at the latest. At 2 (RFC 9000) the receiver sends five times as
/// many for the same rate; at 32 a path with a queue of 64 KB loses a tenth of its rate.
const ACK_EVERY_PAYLOADS: u32 = 10;

/// A payload counts as lost when this many later ones have arrived. RFC 9002 says 3, for paths that keep
/// order. L3.5 promises none: jitter of a tenth of the round trip alone, reordering 20 payloads at
/// 100 Mbit/s, brings CUBIC down to 3 % of the rate at 16, and costs nothing at 1,000 (92 %).
const REORDER_PAYLOADS: u32 = 1_000;

/// So time decides what is lost, in round trips since it was sent. RFC 9002 says 9/8, RFC 8985 5/4; at 3/2
/// jitter of half the round trip leaves 90 % of the rate, at 5/4 2 %.
const LOSS_ROUND_TRIPS: f32 = 1.5;

/// With that the receiver acknowledges a payload out of order at once: late knowledge of it would look like
/// its loss. At 2 and more the same jitter leaves 1 % of the rate.
const ACK_OUT_OF_ORDER: u32 = 1;

/// What may be sent before the first acknowledgement. RFC 9002 allows 10; 32 is what large web services
/// use.
const INITIAL_WINDOW_PAYLOADS: u64 = 32;

/// Flow-control windows of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    pub(crate) receive_bytes: u64,
    pub(crate) send_bytes: u64,
}

impl Windows {
    pub(crate) fn sum_bytes(self) -> u64 {
        self.receive_bytes + self.send_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_allowed() {
        assert_eq!(StreamsConfig::new([0; 32]).check(), Ok(()));
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_range() {
        let config = StreamsConfig {
            max_payload_bytes: 1_199,
            ..StreamsConfig::new([0; 32])
        };

        let error = config.check().unwrap_err().to_string();

        assert!(
            error.contains("max_payload_bytes is 1199, allowed are 1200 to 65000"),
            "{error}"
        );
    }

    #[test]
    fn windows_never_add_up_to_more_than_the_buffer() {
        let config = StreamsConfig {
            buffer_bytes: 64 * 1024 * 1024,
            ..StreamsConfig::new([0; 32])
        };
        let mut reserved = 0;
        let mut connections = 0;

        while let Some(windows) = config.windows(reserved, 0) {
            reserved += windows.sum_bytes();
            connections += 1;
            assert!(windows.receive_bytes / 2 >= 64 * 1024);
        }

        assert!(reserved <= config.buffer_bytes, "{reserved}");
        assert!(connections > 30, "{connections}");
    }

    #[test]
    fn all_connections_of_one_peer_leave_most_of_the_buffer_to_others() {
        let config = StreamsConfig::new([0; 32]);
        let mut reserved = 0;

        for of_peer in 0..config.max_connections_per_peer {
            let windows = config.windows(reserved, of_peer).unwrap();
            reserved += windows.sum_bytes();
        }

        assert!(reserved < config.buffer_bytes / 8, "{reserved}");
        let next = config.windows(reserved, 0).unwrap();
        assert_eq!(next.receive_bytes, config.receive_window_bytes);
    }
}

//! What was counted.

/// Of a whole endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections now, lost ones that can still be read included: a gauge.
    pub connections: usize,
    /// Incoming connections that wait for a key: a gauge.
    pub waiting: usize,
    /// Bytes that the windows of all connections add up to: a gauge, at most `buffer_bytes`.
    pub reserved_bytes: u64,
    /// Connections that this host asked for.
    pub connects: u64,
    /// Connections that this host accepted.
    pub accepts: u64,
    /// Connections that were lost, for any reason but `close`.
    pub losses: u64,
    /// Of those, the ones that went to make room for other peers.
    pub crowded_out: u64,
    /// Incoming connections refused, by the caller, for want of room or for want of a key in time.
    pub refusals: u64,
    /// Incoming connections dropped because too many waited.
    pub incoming_dropped: u64,
    /// Payloads handed in.
    pub payloads_received: u64,
    /// Payloads handed out.
    pub payloads_sent: u64,
    /// Bytes of payloads handed in.
    pub received_bytes: u64,
    /// Bytes of payloads handed out.
    pub sent_bytes: u64,
    /// Payloads that belong to no connection: not QUIC, or of a connection that is gone.
    pub payloads_unknown: u64,
    /// Answers to strangers that found no place in their queue.
    pub answers_dropped: u64,
}

/// Of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionStatistics {
    /// Whether the handshake is done and the connection not lost.
    pub is_up: bool,
    /// Smoothed round trip.
    pub rtt_ns: u64,
    /// Smallest round trip.
    pub min_rtt_ns: u64,
    /// Bytes that may be in flight.
    pub congestion_window_bytes: u64,
    /// Times the window was cut for loss.
    pub congestion_events: u64,
    /// Payloads sent.
    pub payloads_sent: u64,
    /// Payloads received.
    pub payloads_received: u64,
    /// Payloads counted as lost.
    pub payloads_lost: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Acknowledgements sent.
    pub acknowledgements_sent: u64,
}

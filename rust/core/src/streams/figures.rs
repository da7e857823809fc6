//! Counters and gauges of streams, for Python.

use std::collections::HashMap;

use ei_streams::{ConnectionStatistics, Statistics};

pub(super) fn of_all(
    counted: &Statistics,
    (joints, tails_bytes, tails_dropped): (usize, usize, u64),
) -> HashMap<&'static str, u64> {
    HashMap::from([
        ("connections", counted.connections as u64),
        ("waiting", counted.waiting as u64),
        ("joints", joints as u64),
        ("tails_bytes", tails_bytes as u64),
        ("tails_dropped", tails_dropped),
        ("reserved_bytes", counted.reserved_bytes),
        ("connects", counted.connects),
        ("accepts", counted.accepts),
        ("losses", counted.losses),
        ("crowded_out", counted.crowded_out),
        ("refusals", counted.refusals),
        ("incoming_dropped", counted.incoming_dropped),
        ("payloads_received", counted.payloads_received),
        ("payloads_sent", counted.payloads_sent),
        ("received_bytes", counted.received_bytes),
        ("sent_bytes", counted.sent_bytes),
        ("payloads_unknown", counted.payloads_unknown),
        ("answers_dropped", counted.answers_dropped),
    ])
}

pub(super) fn of_one(counted: &ConnectionStatistics) -> HashMap<&'static str, u64> {
    HashMap::from([
        ("is_up", u64::from(counted.is_up)),
        ("rtt_ns", counted.rtt_ns),
        ("min_rtt_ns", counted.min_rtt_ns),
        ("congestion_window_bytes", counted.congestion_window_bytes),
        ("congestion_events", counted.congestion_events),
        ("payloads_sent", counted.payloads_sent),
        ("payloads_received", counted.payloads_received),
        ("payloads_lost", counted.payloads_lost),
        ("sent_bytes", counted.sent_bytes),
        ("received_bytes", counted.received_bytes),
        ("acknowledgements_sent", counted.acknowledgements_sent),
    ])
}

//! Statistics of one or several datapath threads, as Python sees them.

use std::collections::BTreeMap;

use ei_datapath::counters::{ByReason, Counters, Reason};
use ei_datapath::forward::{PeerStatistics, ServiceStatistics, Statistics};
use ei_datapath::pipes::HandshakeCounts;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// The threads of one engine as if they were one: counts are summed, states are those of thread 0.
fn sum(threads: Vec<Statistics>) -> Option<Statistics> {
    threads.into_iter().reduce(|mut sum, thread| {
        add_counters(&mut sum.counters, &thread.counters);
        sum.decisions += thread.decisions;
        sum.log_lost += thread.log_lost;
        for service in thread.services {
            match sum
                .services
                .iter_mut()
                .find(|known| known.number == service.number)
            {
                Some(known) => add_service(known, service),
                None => sum.services.push(service),
            }
        }
        // By address, since the threads may have come to know peers in another order.
        let mut others: BTreeMap<_, _> = thread
            .peers
            .into_iter()
            .map(|peer| (peer.address, peer.pipe))
            .collect();
        for peer in &mut sum.peers {
            if let Some(other) = others.remove(&peer.address) {
                peer.pipe.sent += other.sent;
                peer.pipe.received += other.received;
                peer.pipe.sent_bytes += other.sent_bytes;
                peer.pipe.received_bytes += other.received_bytes;
                peer.pipe.refused += other.refused;
            }
        }
        sum
    })
}

fn add_service(sum: &mut ServiceStatistics, other: ServiceStatistics) {
    sum.missed += other.missed;
    sum.queue_packets += other.queue_packets;
    sum.queue_bytes += other.queue_bytes;
    sum.queue_limit_bytes += other.queue_limit_bytes;
    sum.batches.add(&other.batches);
    sum.decisions += other.decisions;
    for (word, count) in other.dropped {
        *sum.dropped.entry(word).or_default() += count;
    }
    for (name, count) in other.counters {
        *sum.counters.entry(name).or_default() += count;
    }
}

fn add_counters(sum: &mut Counters, other: &Counters) {
    // Every field by name, so that a new one is not forgotten here.
    let Counters {
        received,
        forwarded,
        delivered,
        consumed,
        missed,
        dropped,
        answered,
        passed,
        waiting,
        missed_dropped,
        copies,
        sent,
        copies_ended,
        copies_waiting,
        copies_dropped,
        signals,
        stale_decisions,
        effects_refused,
        received_bytes,
        sent_bytes,
    } = sum;
    let pairs = [
        (received, other.received),
        (forwarded, other.forwarded),
        (delivered, other.delivered),
        (consumed, other.consumed),
        (missed, other.missed),
        (answered, other.answered),
        (passed, other.passed),
        (waiting, other.waiting),
        (copies, other.copies),
        (sent, other.sent),
        (copies_ended, other.copies_ended),
        (copies_waiting, other.copies_waiting),
        (signals, other.signals),
        (stale_decisions, other.stale_decisions),
        (effects_refused, other.effects_refused),
        (received_bytes, other.received_bytes),
        (sent_bytes, other.sent_bytes),
    ];
    for (sum, other) in pairs {
        *sum += other;
    }
    for (sums, others) in [
        (dropped, &other.dropped),
        (missed_dropped, &other.missed_dropped),
        (copies_dropped, &other.copies_dropped),
    ] {
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum += other;
        }
    }
}

/// What one thread of an engine says of itself.
pub(crate) struct ThreadStatistics {
    pub(crate) datapath: Statistics,
    /// CPU time, user and system.
    pub(crate) cpu_ns: u64,
    /// The system's number of the thread.
    pub(crate) thread_id: i32,
    /// Batches that workers have not answered.
    pub(crate) batches_outstanding: usize,
    /// Datagrams lost before any datapath saw them: the sockets' buffers were full.
    pub(crate) socket_overflows: u64,
    /// Datagrams that were taken from a device before a socket got them.
    pub(crate) captured: u64,
    /// The same: too many waited that another thread had received for this one.
    pub(crate) thread_overflows: u64,
}

/// `statistics()` of an engine, but for its streams.
pub(crate) fn engine_dict<'py>(
    py: Python<'py>,
    threads: Vec<ThreadStatistics>,
    notice_overflows: u64,
    lost_workers: &BTreeMap<u32, String>,
) -> PyResult<Bound<'py, PyDict>> {
    let list = threads_list(py, &threads)?;
    let socket_overflows: u64 = threads.iter().map(|thread| thread.socket_overflows).sum();
    let thread_overflows: u64 = threads.iter().map(|thread| thread.thread_overflows).sum();
    let captured: u64 = threads.iter().map(|thread| thread.captured).sum();
    let all = threads.into_iter().map(|thread| thread.datapath).collect();
    let sum = sum(all).ok_or_else(|| PyRuntimeError::new_err("no thread runs"))?;
    let dict = statistics_dict(py, &sum)?;
    dict.set_item("threads", list)?;
    dict.set_item("lost_workers", lost_workers)?;
    dict.set_item("socket_overflows", socket_overflows)?;
    dict.set_item("thread_overflows", thread_overflows)?;
    dict.set_item("captured", captured)?;
    dict.set_item("notice_overflows", notice_overflows)?;
    Ok(dict)
}

/// `statistics()["threads"]` of an engine.
fn threads_list<'py>(
    py: Python<'py>,
    threads: &[ThreadStatistics],
) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for thread in threads {
        let dict = counters_dict(py, &thread.datapath.counters)?;
        dict.set_item("cpu_ns", thread.cpu_ns)?;
        dict.set_item("thread_id", thread.thread_id)?;
        dict.set_item("batches_outstanding", thread.batches_outstanding)?;
        dict.set_item("socket_overflows", thread.socket_overflows)?;
        dict.set_item("thread_overflows", thread.thread_overflows)?;
        dict.set_item("captured", thread.captured)?;
        list.append(dict)?;
    }
    Ok(list)
}

/// As `Datapath.statistics()` of `_core.pyi` says.
pub(crate) fn statistics_dict<'py>(
    py: Python<'py>,
    statistics: &Statistics,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = counters_dict(py, &statistics.counters)?;
    dict.set_item("decisions", statistics.decisions)?;
    dict.set_item("log_lost", statistics.log_lost)?;
    dict.set_item("handshakes", handshakes_dict(py, &statistics.handshakes)?)?;
    let services = PyDict::new(py);
    for service in &statistics.services {
        services.set_item(service.number, service_dict(py, service)?)?;
    }
    dict.set_item("services", services)?;
    let peers = PyDict::new(py);
    for peer in &statistics.peers {
        peers.set_item(hex(&peer.address.0), peer_dict(py, peer)?)?;
    }
    dict.set_item("peers", peers)?;
    Ok(dict)
}

fn counters_dict<'py>(py: Python<'py>, counters: &Counters) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, count) in [
        ("received", counters.received),
        ("forwarded", counters.forwarded),
        ("delivered", counters.delivered),
        ("consumed", counters.consumed),
        ("missed", counters.missed),
        ("answered", counters.answered),
        ("passed", counters.passed),
        ("waiting", counters.waiting),
        ("copies", counters.copies),
        ("sent", counters.sent),
        ("copies_ended", counters.copies_ended),
        ("copies_waiting", counters.copies_waiting),
        ("signals", counters.signals),
        ("stale_decisions", counters.stale_decisions),
        ("effects_refused", counters.effects_refused),
        ("received_bytes", counters.received_bytes),
        ("sent_bytes", counters.sent_bytes),
    ] {
        dict.set_item(name, count)?;
    }
    dict.set_item("dropped", reasons_dict(py, &counters.dropped)?)?;
    dict.set_item(
        "missed_dropped",
        reasons_dict(py, &counters.missed_dropped)?,
    )?;
    dict.set_item(
        "copies_dropped",
        reasons_dict(py, &counters.copies_dropped)?,
    )?;
    Ok(dict)
}

/// Only what happened at all.
fn reasons_dict<'py>(py: Python<'py>, counts: &ByReason) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (reason, count) in Reason::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
    {
        dict.set_item(reason.word(), count)?;
    }
    Ok(dict)
}

fn handshakes_dict<'py>(
    py: Python<'py>,
    handshakes: &HandshakeCounts,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("initiated", handshakes.initiated)?;
    dict.set_item("answered", handshakes.answered)?;
    dict.set_item("completed", handshakes.completed)?;
    dict.set_item("refused", handshakes.refused)?;
    Ok(dict)
}

fn service_dict<'py>(py: Python<'py>, service: &ServiceStatistics) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("missed", service.missed)?;
    dict.set_item("queue_packets", service.queue_packets)?;
    dict.set_item("queue_bytes", service.queue_bytes)?;
    dict.set_item("queue_limit_bytes", service.queue_limit_bytes)?;
    dict.set_item("batches", service.batches.batches)?;
    dict.set_item("events", service.batches.events)?;
    dict.set_item("failed", service.batches.failed)?;
    dict.set_item("batch_ns", service.batches.spent_ns)?;
    dict.set_item("batch_seconds", service.batches.by_duration)?;
    dict.set_item("decisions", service.decisions)?;
    dict.set_item("dropped", &service.dropped)?;
    dict.set_item("counters", &service.counters)?;
    Ok(dict)
}

fn peer_dict<'py>(py: Python<'py>, peer: &PeerStatistics) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("is_up", peer.is_up)?;
    dict.set_item("rtt_s", peer.rtt_ns.map(|rtt_ns| rtt_ns as f64 / 1e9))?;
    dict.set_item(
        "endpoint",
        peer.endpoint.map(|endpoint| endpoint.to_string()),
    )?;
    dict.set_item("sent", peer.pipe.sent)?;
    dict.set_item("received", peer.pipe.received)?;
    dict.set_item("sent_bytes", peer.pipe.sent_bytes)?;
    dict.set_item("received_bytes", peer.pipe.received_bytes)?;
    dict.set_item("refused", peer.pipe.refused)?;
    Ok(dict)
}

/// Bytes as people and JSON write them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

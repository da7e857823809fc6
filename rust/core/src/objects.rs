//! What Python gets: notices, traces and refusals as Python objects.

use ei_datapath::counters::Reason;
use ei_datapath::forward::Notice;
use ei_datapath::trace::TraceRecord;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

/// `("peer_up", address)` and its kin.
pub(crate) fn notice_tuple<'py>(py: Python<'py>, notice: Notice) -> PyResult<Bound<'py, PyTuple>> {
    match notice {
        Notice::PeerUp { peer } => ("peer_up", PyBytes::new(py, &peer.0)).into_pyobject(py),
        Notice::PeerDown { peer } => ("peer_down", PyBytes::new(py, &peer.0)).into_pyobject(py),
        Notice::ResolveWanted { service, query } => {
            ("resolve", service, PyBytes::new(py, &query)).into_pyobject(py)
        }
        Notice::ControlReceived {
            peer,
            service,
            message,
        } => {
            let (peer, message) = (PyBytes::new(py, &peer.0), PyBytes::new(py, &message));
            ("control", peer, service, message).into_pyobject(py)
        }
    }
}

/// One entry of `take_traces`.
pub(crate) fn trace_tuple<'py>(
    py: Python<'py>,
    trace: TraceRecord,
) -> PyResult<Bound<'py, PyTuple>> {
    let packet = trace.packet;
    (
        trace.now_ns,
        PyBytes::new(py, &packet.source.0),
        packet.service,
        packet.connection,
        trace.how.word(),
        &trace.verdict,
        trace.spent_ns(),
        &trace.services,
        PyBytes::new(py, &packet.ingress.0),
    )
        .into_pyobject(py)
}

/// What was asked for cannot be done, for a reason of the datapath's list.
pub(crate) fn refused(reason: Reason) -> PyErr {
    PyValueError::new_err(format!(
        "{}: {}",
        reason.word(),
        reason.explanation().trim()
    ))
}

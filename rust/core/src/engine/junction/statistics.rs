//! What the stream thread has done, as Python sees it.

use ei_datapath::counters::Reason;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::StreamStatistics;

/// `statistics()["streams"]` of an engine, whose other statistics are `engine`.
pub(crate) fn streams_dict<'py>(
    py: Python<'py>,
    statistics: StreamStatistics,
    engine: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let counted = statistics.junction;
    let dict = PyDict::new(py);
    dict.set_item("open", counted.open)?;
    dict.set_item("opened", counted.opened)?;
    dict.set_item("refused", counted.refused)?;
    dict.set_item("pipe_full", counted.pipe_full)?;
    dict.set_item("crowded_out", counted.crowded_out)?;
    dict.set_item("forgotten_bytes", counted.forgotten_bytes)?;
    dict.set_item("closed", counted.closed)?;
    dict.set_item("read_bytes", counted.read_bytes)?;
    dict.set_item("written_bytes", counted.written_bytes)?;
    dict.set_item("spliced_bytes", counted.spliced_bytes)?;
    dict.set_item("buffered_bytes", counted.buffered_bytes)?;
    dict.set_item("connections", counted.connections)?;
    dict.set_item("cpu_ns", statistics.cpu_ns)?;
    // Packets that the stream thread did not take in time: at a node nothing else receives any.
    let dropped = engine.get_item("dropped")?;
    let busy = dropped.map(|dropped| dropped.cast_into::<PyDict>());
    let busy = match busy {
        Some(Ok(dropped)) => dropped.get_item(Reason::ReceiverBusy.word())?,
        Some(Err(_)) | None => None,
    };
    dict.set_item(
        "queue_overflows",
        busy.map_or(Ok(0), |count| count.extract::<u64>())?,
    )?;
    let services = PyDict::new(py);
    for (number, (open, opened)) in counted.services {
        let service = PyDict::new(py);
        service.set_item("open", open)?;
        service.set_item("opened", opened)?;
        services.set_item(number, service)?;
    }
    dict.set_item("services", services)?;
    let refusals = statistics.not_allowed.into_iter();
    let refusals = refusals.map(|one| (one.host, one.address.to_string(), one.port, one.count));
    dict.set_item(
        "not_allowed",
        PyList::new(py, refusals.collect::<Vec<_>>())?,
    )?;
    Ok(dict)
}

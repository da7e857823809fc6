//! What passes between Python and the engine: descriptors in, refusals out.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::fleet::{FleetError, StreamingError};
use super::notices::News;
use crate::objects::notice_tuple;

/// Take over as many descriptors as are wanted.
pub(super) fn sockets(descriptors: Vec<RawFd>, wanted: usize) -> PyResult<Vec<OwnedFd>> {
    if descriptors.len() != wanted {
        return Err(PyValueError::new_err(format!(
            "{} sockets for {wanted} threads; that of the streams counts, if the service has any",
            descriptors.len()
        )));
    }
    descriptors.into_iter().map(owned).collect()
}

/// Take a descriptor over from Python.
fn owned(descriptor: RawFd) -> PyResult<OwnedFd> {
    // SAFETY: fcntl with F_GETFD takes any number, and touches no memory.
    if descriptor < 0 || unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        let text = "Bad file descriptor";
        return Err(PyOSError::new_err((
            libc::EBADF,
            text,
            format!("socket {descriptor}"),
        )));
    }
    // SAFETY: it is open, and by the contract of `attach_worker` nobody else closes it from now on.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// All threads have the same configuration, so that they refuse the same.
pub(super) fn first_refusal<T, E: std::fmt::Display>(results: Vec<Result<T, E>>) -> PyResult<()> {
    for result in results {
        if let Err(error) = result {
            return Err(PyValueError::new_err(error.to_string()));
        }
    }
    Ok(())
}

/// One entry of `take_notices`.
pub(super) fn news_tuple<'py>(py: Python<'py>, news: News) -> PyResult<Bound<'py, PyTuple>> {
    match news {
        News::Datapath(notice) => notice_tuple(py, notice),
        News::WorkerLost(service) => ("worker_lost", service).into_pyobject(py),
        News::WorkerSlow(service) => ("worker_slow", service).into_pyobject(py),
        News::StreamKeyWanted(peer) => {
            ("stream_key_wanted", PyBytes::new(py, &peer)).into_pyobject(py)
        }
        News::Failed(why) => ("failed", why).into_pyobject(py),
    }
}

impl From<FleetError> for PyErr {
    fn from(error: FleetError) -> Self {
        PyRuntimeError::new_err(error.to_string())
    }
}

impl From<StreamingError> for PyErr {
    fn from(error: StreamingError) -> Self {
        match error {
            StreamingError::Started => PyRuntimeError::new_err("start_streams was called before"),
            StreamingError::Refused(error) => PyValueError::new_err(error.to_string()),
            StreamingError::System(error) => error.into(),
        }
    }
}

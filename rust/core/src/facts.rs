//! What the native crates know and Python asks: drop reasons, keys.

use ei_datapath::counters::Reason;
use ei_datapath::handshake::{self, Identity};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::exactly;

/// Every drop reason of the datapath: (word, explanation).
#[pyfunction]
pub(crate) fn reasons() -> Vec<(&'static str, &'static str)> {
    let all = Reason::ALL.iter();
    all.map(|reason| (reason.word(), reason.explanation().trim()))
        .collect()
}

/// X25519 public key of `private_key`.
#[pyfunction]
pub(crate) fn public_key<'py>(
    py: Python<'py>,
    private_key: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let identity = Identity::new(exactly("private_key", private_key)?);
    Ok(PyBytes::new(py, identity.public_key()))
}

/// One X25519 of `private_key` and somebody's public key.
#[pyfunction]
pub(crate) fn shared_secret<'py>(
    py: Python<'py>,
    private_key: &[u8],
    public_key: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let private_key = exactly("private_key", private_key)?;
    let public_key = exactly("public_key", public_key)?;
    let secret = handshake::shared_secret(&private_key, &public_key);
    Ok(PyBytes::new(py, &secret))
}

//! What the native crates know and Python asks: drop reasons, keys.

use ei_datapath::counters::Reason;
use ei_datapath::handshake::{self, Identity};
use pyo3::exceptions::PyValueError;
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

/// The encapsulation key of ML-KEM-768 that `seed` makes.
#[pyfunction]
pub(crate) fn encapsulation_key<'py>(
    py: Python<'py>,
    seed: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let key = handshake::encapsulation_key(&exactly("seed", seed)?);
    Ok(PyBytes::new(py, &key))
}

/// One encapsulation of ML-KEM-768 for `key`: ciphertext and secret.
#[pyfunction]
pub(crate) fn encapsulate<'py>(
    py: Python<'py>,
    key: &[u8],
    drawn: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (key, drawn) = (exactly("key", key)?, exactly("drawn", drawn)?);
    let (ciphertext, secret) = handshake::encapsulate(&key, drawn)
        .ok_or_else(|| PyValueError::new_err("key is no encapsulation key of ML-KEM-768"))?;
    Ok((PyBytes::new(py, &ciphertext), PyBytes::new(py, &secret)))
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

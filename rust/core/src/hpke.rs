//! Hybrid public key encryption, as Python calls it: one message, and one secret that both ends have.

use ei_datapath::hpke;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::exactly;

/// Of the secret that both have: a key of AES-128-GCM.
const EXPORTED_BYTES: usize = 16;

type Bytes<'py> = Bound<'py, PyBytes>;

/// The private and the public key that follow from 32 secret bytes.
#[pyfunction]
pub(crate) fn hpke_derive<'py>(py: Python<'py>, seed: &[u8]) -> PyResult<(Bytes<'py>, Bytes<'py>)> {
    let (private, public) = hpke::derive(&exactly("seed", seed)?);
    Ok((PyBytes::new(py, &private), PyBytes::new(py, &public)))
}

/// Encapsulated key, sealed message and secret, for the owner of `public_key`.
#[pyfunction]
#[pyo3(signature = (public_key, plaintext, *, info, additional, purpose, seed))]
pub(crate) fn hpke_seal<'py>(
    py: Python<'py>,
    public_key: &[u8],
    plaintext: &[u8],
    info: &[u8],
    additional: &[u8],
    purpose: &[u8],
    seed: &[u8],
) -> PyResult<(Bytes<'py>, Bytes<'py>, Bytes<'py>)> {
    let (public_key, seed) = (exactly("public_key", public_key)?, exactly("seed", seed)?);
    let (enc, context) = hpke::seal_to(&public_key, info, &seed)
        .ok_or_else(|| PyValueError::new_err("public_key is a key that nobody has"))?;
    let sealed = context
        .seal(plaintext, additional)
        .ok_or_else(|| PyValueError::new_err("plaintext is too long"))?;
    let secret = context.export::<EXPORTED_BYTES>(purpose);
    let new = |bytes: &[u8]| PyBytes::new(py, bytes);
    Ok((new(&enc), new(&sealed), new(&secret)))
}

/// The message and the secret, as `hpke_seal` sealed them; `None` where it does not open.
#[pyfunction]
#[pyo3(signature = (private_key, public_key, enc, sealed, *, info, additional, purpose))]
#[expect(clippy::too_many_arguments, reason = "those of RFC 9180")]
pub(crate) fn hpke_open<'py>(
    py: Python<'py>,
    private_key: &[u8],
    public_key: &[u8],
    enc: &[u8],
    sealed: &[u8],
    info: &[u8],
    additional: &[u8],
    purpose: &[u8],
) -> PyResult<Option<(Bytes<'py>, Bytes<'py>)>> {
    let private_key = exactly("private_key", private_key)?;
    let public_key = exactly("public_key", public_key)?;
    let enc = exactly("enc", enc)?;
    let context = hpke::open_from(&enc, &private_key, &public_key, info);
    Ok(context.and_then(|context| {
        let plaintext = context.open(sealed, additional)?;
        let secret = context.export::<EXPORTED_BYTES>(purpose);
        Some((PyBytes::new(py, &plaintext), PyBytes::new(py, &secret)))
    }))
}

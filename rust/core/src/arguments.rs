//! What Python hands over, as the types of the native crates; what is wrong with it, by name.

use std::net::SocketAddr;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::io::BindError;

/// An endpoint such as "127.0.0.1:3535" or "[::1]:3535".
pub(crate) fn endpoint(text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| {
        PyValueError::new_err(format!(
            "endpoint {text:?} is not IP:PORT, such as 127.0.0.1:3535 or [::1]:3535"
        ))
    })
}

/// Exactly `N` bytes.
pub(crate) fn exactly<const N: usize>(name: &str, bytes: &[u8]) -> PyResult<[u8; N]> {
    bytes.try_into().map_err(|_| {
        PyValueError::new_err(format!(
            "{name} of {} bytes is not of {N} bytes",
            bytes.len()
        ))
    })
}

impl From<BindError> for PyErr {
    /// `OSError`, or its subclass for the errno, which says the endpoint as it would a file name.
    fn from(bind: BindError) -> Self {
        let said = bind.error.to_string();
        let message = said.split(" (os error").next().unwrap_or(&said).to_owned();
        PyOSError::new_err((
            bind.error.raw_os_error(),
            message,
            bind.endpoint.to_string(),
        ))
    }
}

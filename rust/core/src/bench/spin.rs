//! Time passed without sleep, for cores that are to stay awake.

use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

const PAUSES: usize = 1_000;

/// Spin for `seconds`, leaving what a core shares to its other thread.
#[pyfunction]
pub(crate) fn spin(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let time = Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("seconds of {seconds} is out of range")))?;
    py.detach(|| {
        let begun = Instant::now();
        while begun.elapsed() < time {
            for _ in 0..PAUSES {
                std::hint::spin_loop();
            }
        }
    });
    Ok(())
}

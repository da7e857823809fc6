//! `Dictionaries`: what the stages `Compress` and `Decompress` do, without packets, to be compared with the
//! Python reference.

use ei_datapath::stages::{Dictionaries as Kept, Dictionary, Zstd};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// See `_core.pyi`.
#[pyclass(module = "ei._core")]
#[derive(Default)]
pub(crate) struct Dictionaries {
    kept: Kept,
    zstd: Zstd,
}

#[pymethods]
impl Dictionaries {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn keep(&mut self, dictionary: &[u8]) -> PyResult<()> {
        let digested = Dictionary::new(dictionary).ok_or_else(|| {
            let length = dictionary.len();
            PyValueError::new_err(format!("{length} B that are no zstd dictionary of 32 KiB"))
        })?;
        self.kept.keep(digested);
        Ok(())
    }

    fn compress<'py>(
        &mut self,
        py: Python<'py>,
        payload: &[u8],
        dictionary: u32,
        ratio: u32,
    ) -> Option<Bound<'py, PyBytes>> {
        let frame = self.zstd.compress(&self.kept, dictionary, ratio, payload)?;
        let bytes = PyBytes::new(py, &frame);
        self.zstd.give_back(frame);
        Some(bytes)
    }

    fn decompress<'py>(
        &mut self,
        py: Python<'py>,
        frame: &[u8],
        ratio: u32,
        limit_bytes: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let payload = self.zstd.decompress(&self.kept, ratio, limit_bytes, frame);
        let payload = payload.map_err(|reason| PyValueError::new_err(reason.word()))?;
        let bytes = PyBytes::new(py, &payload);
        self.zstd.give_back(payload);
        Ok(bytes)
    }
}

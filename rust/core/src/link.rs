//! `Link`: the impairment model, for the simulation and the shaper.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use ei_links::{Impairments, Link as Model};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::lock::lock;

/// Shared with a shaper that relays by it, so that cutting it takes effect at once.
#[pyclass(frozen, module = "ei._core")]
pub(crate) struct Link {
    model: Arc<Mutex<Model>>,
}

impl Link {
    pub(crate) fn shared(&self) -> Arc<Mutex<Model>> {
        Arc::clone(&self.model)
    }

    /// A copy of it as it is now.
    pub(crate) fn model(&self) -> Model {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        // A model is whole between any two calls, whatever happened to the thread that made the last one.
        lock(&self.model)
    }
}

#[pymethods]
impl Link {
    #[new]
    #[pyo3(signature = (*, seed, delay_s=0.0, jitter_s=0.0, loss=0.0, duplicate=0.0, corrupt=0.0,
        reorder=0.0, rate_bps=0, queue_bytes=262_144))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn new(
        seed: u64,
        delay_s: f64,
        jitter_s: f64,
        loss: f64,
        duplicate: f64,
        corrupt: f64,
        reorder: f64,
        rate_bps: u64,
        queue_bytes: u64,
    ) -> PyResult<Self> {
        let impairments = Impairments {
            delay_s,
            jitter_s,
            loss,
            duplicate,
            corrupt,
            reorder,
            rate_bps,
            queue_bytes,
        };
        let model = Model::new(seed, &impairments)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self {
            model: Arc::new(Mutex::new(model)),
        })
    }

    #[getter]
    fn is_cut(&self) -> bool {
        self.lock().is_cut
    }

    #[setter]
    fn set_is_cut(&self, is_cut: bool) {
        self.lock().is_cut = is_cut;
    }

    fn offer<'py>(
        &self,
        now_ns: u64,
        datagram: Bound<'py, PyBytes>,
    ) -> Vec<(u64, Bound<'py, PyBytes>)> {
        let arrivals = self.lock().offer(now_ns, datagram.as_bytes().len());
        let copies = arrivals.into_iter().flatten().map(|arrival| {
            if arrival.flipped_bit.is_none() {
                return (arrival.at_ns, datagram.clone());
            }
            let mut bytes = datagram.as_bytes().to_vec();
            arrival.apply(&mut bytes);
            (arrival.at_ns, PyBytes::new(datagram.py(), &bytes))
        });
        copies.collect()
    }

    fn offer_length(&self, now_ns: u64, length: usize) -> Vec<u64> {
        let arrivals = self.lock().offer(now_ns, length);
        arrivals
            .into_iter()
            .flatten()
            .map(|arrival| arrival.at_ns)
            .collect()
    }

    fn statistics(&self) -> HashMap<&'static str, u64> {
        counters(&self.lock())
    }

    fn __repr__(&self) -> String {
        let model = self.lock();
        let state = if model.is_cut { "cut" } else { "up" };
        let counters = model.counters();
        format!(
            "<Link {state}, {} of {} lost, {} delivered>",
            counters.lost, counters.offered, counters.delivered
        )
    }
}

/// What a model did, by name.
pub(crate) fn counters(model: &Model) -> HashMap<&'static str, u64> {
    let counters = model.counters();
    HashMap::from([
        ("offered", counters.offered),
        ("delivered", counters.delivered),
        ("lost", counters.lost),
        ("duplicated", counters.duplicated),
        ("corrupted", counters.corrupted),
        ("reordered", counters.reordered),
        ("bytes", counters.bytes),
    ])
}

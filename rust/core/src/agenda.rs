//! `Agenda`: what is to happen in a simulation, in order.

use ei_links::Agenda as Pure;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

#[pyclass(module = "ei._core")]
pub(crate) struct Agenda {
    pure: Pure<Py<PyAny>>,
}

#[pymethods]
impl Agenda {
    #[new]
    fn new() -> Self {
        Self {
            pure: Pure::default(),
        }
    }

    fn push(&mut self, when_ns: u64, rank: u32, item: Py<PyAny>) {
        self.pure.push(when_ns, rank, item);
    }

    fn pop(&mut self, before_ns: u64) -> Option<(u64, u32, Py<PyAny>)> {
        self.pure.pop(before_ns)
    }

    fn earliest_ns(&self) -> Option<u64> {
        self.pure.earliest_ns()
    }

    fn __len__(&self) -> usize {
        self.pure.len()
    }

    fn __repr__(&self) -> String {
        format!("<Agenda of {}>", self.pure.len())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.pure.items().try_for_each(|item| visit.call(item))
    }

    fn __clear__(&mut self) {
        self.pure.clear();
    }
}

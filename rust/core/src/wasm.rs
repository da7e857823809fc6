//! `WasmModule`: a service module in WebAssembly, whose questions Python answers.

use ei_wasm::{Fault, Host, Kept, Limits, Module, Question};
use pyo3::exceptions::{PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::within;

/// See `_core.pyi`.
#[pyclass(module = "ei._core", frozen)]
pub(crate) struct WasmModule {
    module: Module<Context>,
}

#[pymethods]
impl WasmModule {
    #[new]
    #[pyo3(signature = (code, *, memory_bytes, fuel))]
    fn new(code: &[u8], memory_bytes: usize, fuel: u64) -> PyResult<Self> {
        const MOST_BYTES: usize = 1 << 31;
        let limits = Limits {
            memory_bytes: within("memory_bytes", memory_bytes, 1, MOST_BYTES)?,
            fuel,
        };
        let module = Module::new(code, limits).map_err(PyValueError::new_err)?;
        Ok(Self { module })
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        event: &[u8],
        context: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match self.module.run(event.to_vec(), Context(context)) {
            Ok(effects) => Ok(PyBytes::new(py, &effects)),
            Err(Fault::Host(error)) => Err(error),
            Err(Fault::OutOfFuel) => Err(PyTimeoutError::new_err("its fuel is used up")),
            Err(Fault::Trap(said)) => Err(PyRuntimeError::new_err(said)),
        }
    }
}

/// An `ei.runtime.wasm.Asked`.
struct Context(Py<PyAny>);

impl Host for Context {
    type Error = PyErr;

    fn ask(&mut self, question: Question<'_>) -> PyResult<Option<Vec<u8>>> {
        Python::attach(|py| {
            let context = self.0.bind(py);
            let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
            let answer = match question {
                Question::Context => context.call_method0("context"),
                Question::Peers => context.call_method0("peers"),
                Question::Peer(address) => context.call_method1("peer", (bytes(address),)),
                Question::Record(query) => context.call_method1("record", (bytes(query),)),
                Question::Get(kept, key) => {
                    context.call_method1("get", (is_stable(kept), bytes(key)))
                }
                Question::Put {
                    kept,
                    key,
                    value,
                    ttl_s,
                } => {
                    context.call_method1("put", (is_stable(kept), bytes(key), bytes(value), ttl_s))
                }
                Question::Delete(kept, key) => {
                    context.call_method1("delete", (is_stable(kept), bytes(key)))
                }
                Question::CompareAndPut {
                    kept,
                    key,
                    value,
                    expected,
                    ttl_s,
                } => {
                    let expected = expected.map(bytes);
                    let put = (is_stable(kept), bytes(key), bytes(value), expected, ttl_s);
                    context.call_method1("compare_and_put", put)
                }
                Question::Scan(kept, prefix) => {
                    context.call_method1("scan", (is_stable(kept), bytes(prefix)))
                }
                Question::Next => context.call_method0("next"),
                Question::Random(count) => context.call_method1("random", (count,)),
            }?;
            answer.extract()
        })
    }

    fn pause(&mut self) -> PyResult<()> {
        Python::attach(|py| py.check_signals())
    }
}

fn is_stable(kept: Kept) -> bool {
    kept == Kept::Stable
}

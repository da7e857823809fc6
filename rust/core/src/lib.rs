//! Everything that Python can see of the native code, on one page: the module `ei._core`.

use pyo3::prelude::*;

#[pymodule]
mod _core {
    /// Version of the wire that this build speaks.
    #[pymodule_export]
    const WIRE_VERSION: u8 = 1;
}

//! Everything that Python can see of the native code, on one page: the module `ei._core`.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod arguments;
mod bench;
mod clock;
mod io;
mod link;
mod shaper;
mod streams;
mod threads;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    /// Version of the wire that this build speaks.
    #[pymodule_export]
    const WIRE_VERSION: u8 = 1;

    #[pymodule_export]
    use crate::clock::monotonic_ns;

    #[pymodule_export]
    use crate::link::Link;

    #[pymodule_export]
    use crate::shaper::Shaper;

    #[pymodule_export]
    use crate::streams::Streams;

    #[pymodule_export]
    use crate::bench::PlainForwarder;
}

//! Everything that Python can see of the native code, on one page: the module `ei._core`.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod arguments;
mod bench;
mod bookkeeping;
mod cache_probe;
mod clock;
mod datapath;
mod dictionaries;
mod endtoend;
mod engine;
mod facts;
mod hpke;
mod io;
mod link;
mod lock;
mod misses;
mod objects;
mod shaper;
mod socket;
mod streams;
mod threads;
mod underlay;
mod wasm;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    /// Version of the wire that this build speaks.
    #[pymodule_export]
    const WIRE_VERSION: u8 = ei_datapath::wire::WIRE_VERSION;

    /// What the keys of pipes and sessions are agreed on by.
    #[pymodule_export]
    const KEYS: &str = ei_datapath::handshake::SUITE_NAME;

    #[pymodule_export]
    use crate::clock::monotonic_ns;

    #[pymodule_export]
    use crate::facts::{encapsulate, encapsulation_key, public_key, reasons, shared_secret};

    #[pymodule_export]
    use crate::hpke::{hpke_derive, hpke_open, hpke_seal};

    #[pymodule_export]
    use crate::datapath::Datapath;

    #[pymodule_export]
    use crate::cache_probe::DecisionCache;

    #[pymodule_export]
    use crate::dictionaries::Dictionaries;

    #[pymodule_export]
    use crate::engine::Engine;

    #[pymodule_export]
    use crate::socket::Socket;

    #[pymodule_export]
    use crate::endtoend::EndToEnd;

    #[pymodule_export]
    use crate::streams::Streams;

    #[pymodule_export]
    use crate::link::Link;

    #[pymodule_export]
    use crate::underlay::VirtualUnderlay;

    #[pymodule_export]
    use crate::shaper::Shaper;

    #[pymodule_export]
    use crate::wasm::WasmModule;

    #[pymodule_export]
    use crate::bench::{PlainForwarder, PlainQuicForwarder, Replay, Salvo, spin::spin};
}

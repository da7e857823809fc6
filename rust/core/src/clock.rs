//! The one clock of everything that runs in real time.

use pyo3::prelude::*;
use rustix::time::{ClockId, clock_gettime};

/// The clock of `Engine` threads: CLOCK_MONOTONIC, as `time.monotonic_ns()`.
#[pyfunction]
pub(crate) fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// The wall clock, in nanoseconds since 1970.
pub(crate) fn unix_ns() -> u64 {
    nanoseconds(ClockId::Realtime)
}

/// CPU time of the calling thread, user and system.
pub(crate) fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

//! An input that takes long is found as one that crashes is.

use std::time::{Duration, Instant};

/// For one datagram or batch.
#[allow(dead_code, reason = "each target has one of the two")]
pub const ONE: Duration = Duration::from_millis(10);
/// For a story of a thousand steps, and for handshakes, which sanitizers make slow.
#[allow(dead_code, reason = "each target has one of the two")]
pub const STORY: Duration = Duration::from_millis(100);

/// Run within `limit`. What else the machine does is not the input's fault: it is tried again.
pub fn within(limit: Duration, run: impl Fn()) {
    let time = || {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    if time() > limit {
        let fastest = (0..5).map(|_| time()).min();
        assert!(fastest <= Some(limit), "an input takes {fastest:?}");
    }
}

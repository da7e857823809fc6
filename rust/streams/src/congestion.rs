//! Congestion control: quinn's CUBIC (RFC 9438), with two bounds that it lacks, and room for probes.
//!
//! It grows for as long as there is something to send, also while it is the send window and not its own
//! that limits: on a fast path it then stands at hundreds of megabytes, and the first loss, or the next
//! sixteen, change nothing. And its slow start ends with a loss only, however long the queue has become:
//! where buffers are deep, as between processes of one machine, every other flow then waits behind them.
//!
//! BBR is not used: quinn marks it experimental, and it draws from the system's randomness, so a run could
//! not be repeated.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};

use crate::probing::Slip;

/// Makes the controllers of one connection's paths.
pub(crate) struct BoundedCubic {
    pub(crate) cubic: Arc<CubicConfig>,
    /// The connection's send window.
    pub(crate) most_bytes: u64,
    /// Of the connection.
    pub(crate) slip: Slip,
}

impl ControllerFactory for BoundedCubic {
    fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let inner = Arc::clone(&self.cubic).build(now, current_mtu);
        Box::new(Bounded {
            inner,
            most_bytes: self.most_bytes,
            slip: self.slip.clone(),
        })
    }
}

/// Slow start ends when payloads wait in queues for longer than one round trip and this. HyStart++ (RFC 9406)
/// is content with 4 to 16 ms, but has a second phase against false alarms, and a busy machine alone delays
/// by that much.
const QUEUED: Duration = Duration::from_millis(25);

struct Bounded {
    inner: Box<dyn Controller>,
    most_bytes: u64,
    slip: Slip,
}

impl Bounded {
    fn is_slow_start(&self) -> bool {
        let ControllerMetrics {
            congestion_window,
            ssthresh,
            ..
        } = self.inner.metrics();
        ssthresh.is_none_or(|threshold| congestion_window < threshold)
    }
}

impl Controller for Bounded {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.slip.note_sent(last_packet_number);
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let is_limited_elsewhere = app_limited || self.inner.window() >= self.most_bytes;
        self.inner
            .on_ack(now, sent, bytes, is_limited_elsewhere, rtt);
        if self.is_slow_start() && rtt.get() > 2 * rtt.min() + QUEUED {
            self.inner.on_congestion_event(now, now, false, 0);
        }
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        if let Some(number) = largest_packet_num_acked {
            self.slip.note_acknowledged(number);
        }
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.inner
            .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        let window = self.inner.window();
        if self.slip.is_allowed() {
            // More than can be under way: it is bounded by the send window, frames around it apart.
            return window.saturating_add(2 * self.most_bytes);
        }
        window
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            most_bytes: self.most_bytes,
            slip: self.slip.clone(),
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

//! UDP in batches: trains come in whole (GRO, recvmmsg) and leave whole (GSO).
//!
//! Without the two the kernel's two microseconds per packet swamp all else. Buffers are allocated and
//! touched once; a batch allocates nothing.

mod departing;
mod receiver;
mod steering;
mod udp;

pub(crate) use departing::{send_by, send_trains};
pub(crate) use receiver::{ReceivedTrain, Receiver};
pub(crate) use steering::steer_by_lane;
pub(crate) use udp::{BindError, UdpSocket};

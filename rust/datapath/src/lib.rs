//! The datapath of the Extensible Internet: pure, without socket, clock or Python.
//!
//! # A packet's walk
//!
//! 1. The shell hands over a received train with the time: [`forward::Datapath::handle_train`].
//! 2. [`pipes`] finds the pipe by receiver index, opens the sealed header and checks the replay window
//!    ([`pipe`], [`aead`], [`replay`]). Handshakes ([`handshake`]) and control messages ([`control`]) end
//!    here: *consumed*.
//! 3. [`wire`] parses the header. The first node checks the source against the pipe, each one the hop
//!    limit and that the payload is sealed somewhere.
//! 4. [`decide`] looks the decision up: one lookup in the [`cache`], also for a [`chain`] of services
//!    ([`routes`]).
//! 5. **Hit**: the [`stages`] of the decision run, and one copy per next hop is sealed straight into its
//!    train ([`trains`]), which the shell takes out: *forwarded*. Nothing was allocated, no clock was read.
//!    On a host: *delivered*.
//! 6. **Miss**: the packet waits in the [`queue`] of its service, a share for each ingress pipe: *missed*.
//!    The shell carries batches of events to the service's worker and effects back, as bytes ([`codec`]);
//!    decisions are installed first, then packets go out as in 5.
//!
//! Whatever happened is counted once, by fate or reason ([`counters`]); packets that ask for it leave a
//! record ([`trace`]). The hosts' own seal inside payloads is [`endtoend`].
#![forbid(unsafe_code)]

pub mod aead;
pub mod cache;
pub mod chain;
pub mod codec;
pub mod control;
pub mod counters;
pub mod decide;
pub mod endtoend;
pub mod forward;
pub mod handshake;
pub mod hpke;
pub mod log;
pub mod packet;
pub mod pipe;
pub mod pipes;
pub mod queue;
mod randomness;
pub mod replay;
pub mod routes;
pub mod stages;
pub mod trace;
pub mod trains;
pub mod wire;

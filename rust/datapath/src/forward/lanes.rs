//! Several threads of one node: what they tell each other, in one queue.

use super::Datapath;
use super::check::Kept;
use crate::pipes::{LaneReport, LaneUpdate};
use crate::stages::Name;
use crate::wire::Address;

/// From one thread of a node to others; the shell carries it, in order.
#[derive(Clone, Debug)]
pub enum LaneMessage {
    /// Keys and states of pipes, from lane 0.
    Keys(LaneUpdate),
    /// Signs of life wanted or keys worn, to lane 0.
    Report(LaneReport),
    /// Open a pipe, to lane 0.
    Dial {
        /// To whom.
        peer: Address,
    },
    /// Send a control message, to lane 0.
    SendControl {
        /// To whom.
        peer: Address,
        /// Whose.
        service: u32,
        /// At most 64 KiB.
        message: Vec<u8>,
    },
    /// Forget the decisions of a tag, to all.
    Revoked {
        /// Whose.
        service: u32,
        /// Which.
        tag: Vec<u8>,
    },
    /// Keep a dictionary, to all.
    Dictionary {
        /// Whose.
        service: u32,
        /// In which object.
        object: Vec<u8>,
        /// At most 32 KiB.
        dictionary: Vec<u8>,
    },
    /// Send what is kept of a history once more, to all.
    SendKept {
        /// Whose.
        service: u32,
        /// Which.
        object: Vec<u8>,
        /// What another thread has not kept.
        names: Vec<Name>,
        /// To whom.
        to: Address,
        /// Instead of the packets' own.
        metadata: Vec<u8>,
    },
}

impl LaneMessage {
    /// Whether it is for lane 0 only; else for every thread but the one it came from.
    pub fn is_for_first(&self) -> bool {
        match self {
            Self::Report(_) | Self::Dial { .. } | Self::SendControl { .. } => true,
            Self::Keys(_)
            | Self::Revoked { .. }
            | Self::Dictionary { .. }
            | Self::SendKept { .. } => false,
        }
    }
}

impl Datapath {
    /// The next message for other threads.
    pub fn take_lane_message(&mut self) -> Option<LaneMessage> {
        self.lane_messages.pop_front()
    }

    /// Take in another thread's message.
    pub fn apply_lane_message(&mut self, now_ns: u64, message: LaneMessage) {
        let pipes = &mut self.departures.pipes;
        match message {
            LaneMessage::Keys(update) => pipes.apply_key_update(update),
            LaneMessage::Report(report) => pipes.apply_lane_report(now_ns, report),
            LaneMessage::Dial { peer } => self.dial(now_ns, &peer),
            LaneMessage::SendControl {
                peer,
                service,
                message,
            } => {
                if let Some(peer) = pipes.find(&peer)
                    && pipes.send_control(now_ns, peer, service, &message).is_err()
                {
                    self.departures.counters.effects_refused += 1;
                }
            }
            LaneMessage::Revoked { service, tag } => {
                if let Some(index) = self.decisions.routes.index(service) {
                    self.decisions.revoke(index, &tag);
                }
            }
            LaneMessage::Dictionary {
                service,
                object,
                dictionary,
            } => {
                if let Some(index) = self.decisions.routes.index(service) {
                    self.decisions.keep_dictionary(index, &object, &dictionary);
                }
            }
            LaneMessage::SendKept {
                service,
                object,
                names,
                to,
                metadata,
            } => {
                let asked = Kept {
                    object: &object,
                    names,
                    to,
                    metadata: &metadata,
                };
                if let Some(index) = self.decisions.routes.index(service)
                    && self.send_those_kept(now_ns, index, &asked).is_err()
                {
                    self.departures.counters.effects_refused += 1;
                }
            }
        }
        self.take_in_changes(now_ns);
    }

    /// Keep a message for other threads, if there are any.
    pub(super) fn tell_lanes(&mut self, message: impl FnOnce() -> LaneMessage) {
        if self.has_lanes {
            self.lane_messages.push_back(message());
        }
    }
}

//! How the packets of an answered batch end: the second book of law 6.

use super::Datapath;
use super::services::Handed;
use crate::cache::ServiceIndex;
use crate::codec::{Answer, Outcome};
use crate::counters::{End, Reason};

impl Datapath {
    /// An item of the batch is answered.
    pub(super) fn end(&mut self, index: ServiceIndex, handed: Handed, answer: &Answer<'_>) {
        let (book, trace) = match handed {
            Handed::Packet { book, trace } => (book, trace),
            Handed::Control(receipt) => {
                self.departures.pipes.commit_control(receipt);
                return;
            }
            Handed::News => return,
        };
        match self.end_of(index, answer) {
            Some(end) => self.departures.counters.count_end(book, end),
            None => {
                if let Some(service) = self.service(index) {
                    service.hold(book, trace);
                }
            }
        }
    }

    /// A timer's answer, or that of a packet that was held.
    pub(super) fn end_held(&mut self, index: ServiceIndex, answer: &Answer<'_>) {
        if matches!(answer.outcome, Outcome::None | Outcome::Held) {
            return;
        }
        let held = self.service(index).and_then(|service| service.held.take());
        let Some(book) = held else {
            self.departures.counters.effects_refused += 1;
            return;
        };
        if let Some(end) = self.end_of(index, answer) {
            self.departures.counters.count_end(book, end);
        }
    }

    /// How an answer ends its packet; `None` while it is held.
    fn end_of(&mut self, index: ServiceIndex, answer: &Answer<'_>) -> Option<End> {
        let reason = match answer.outcome {
            Outcome::Answered => return Some(End::Answered),
            Outcome::Passed => return Some(End::Passed),
            Outcome::Held => return None,
            Outcome::None => Reason::NoAnswer,
            Outcome::Dropped => self.reason_of(index, answer.reason),
        };
        if let Some(service) = self.service(index)
            && reason != Reason::DroppedByService
        {
            service.count_drop(reason);
        }
        Some(End::Dropped(reason))
    }

    /// The environment's own words, or one that the service declares and that is counted with it.
    fn reason_of(&mut self, index: ServiceIndex, word: &str) -> Reason {
        const OF_THE_ENVIRONMENT: [Reason; 6] = [
            Reason::ServiceError,
            Reason::StoreFailed,
            Reason::CpuExceeded,
            Reason::NoAnswer,
            Reason::HoldTimeout,
            Reason::HoldFull,
        ];
        if let Some(reason) = OF_THE_ENVIRONMENT
            .into_iter()
            .find(|one| one.word() == word)
        {
            return reason;
        }
        let Some(service) = self.service(index) else {
            return Reason::EffectRefused;
        };
        match service.word(word) {
            Some(word) => {
                service.count_word(word);
                Reason::DroppedByService
            }
            None => Reason::EffectRefused,
        }
    }
}

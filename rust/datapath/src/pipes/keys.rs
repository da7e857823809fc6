//! The sessions of a pipe: made by handshakes, put to use, forgotten.

use super::{LaneUpdate, PeerIndex, PipeChange, Pipes};
use crate::handshake::SessionSecrets;
use crate::pipe::{Next, Session};

impl Pipes {
    /// The largest datagram that we take, as handshakes say it.
    pub(super) fn max_datagram_u16(&self) -> u16 {
        u16::try_from(self.config.max_datagram_bytes).unwrap_or(u16::MAX)
    }

    /// The largest datagram that both ends take.
    pub(super) fn common_max(&self, theirs: u16) -> usize {
        self.config.max_datagram_bytes.min(usize::from(theirs))
    }

    /// Make the session of a finished handshake, here and on the other threads.
    pub(super) fn install(
        &mut self,
        now_ns: u64,
        peer: PeerIndex,
        index: u32,
        remote_index: u32,
        secrets: &SessionSecrets,
        peer_lanes: u8,
    ) {
        let session = Session::new(now_ns, secrets, remote_index, self.share(peer_lanes));
        self.sessions.put(index, session);
        self.tell_lanes(peer, |peer| LaneUpdate::Install {
            peer,
            index,
            remote_index,
            made_ns: now_ns,
            secrets: secrets.clone(),
            peer_lanes,
        });
    }

    /// Another boot number: the peer was restarted, and what we shared with it is gone. So is what it had said
    /// and nobody had taken yet: each life has a window of it, and lives have no bound.
    pub(super) fn note_boot(&mut self, peer: PeerIndex, boot: u64) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if pipe.boot.replace(boot).is_some_and(|before| before != boot) {
            let stale = pipe.take_sessions();
            if let Some(control) = &mut pipe.control {
                control.restart();
            }
            let was_up = std::mem::replace(&mut pipe.is_up, false);
            for index in stale.into_iter().flatten() {
                self.retire(index);
            }
            if was_up {
                self.changes.push_back(PipeChange::PeerDown { peer });
                self.tell_state(peer);
            }
            self.messages.retain(|message| message.peer != peer);
            self.changes.push_back(PipeChange::PeerRestarted { peer });
        }
    }

    /// Keep a session until it may be used, in place of another that was not.
    pub(super) fn set_next(&mut self, peer: PeerIndex, next: Next) {
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        if let Some(unused) = pipe.next.replace(Box::new(next)) {
            self.retire(unused.index);
        }
    }

    pub(super) fn retire(&mut self, index: u32) {
        self.sessions.release(index);
        if self.config.lanes > 1 {
            self.updates.push_back(LaneUpdate::Retire { index });
        }
    }

    pub(super) fn end_sessions(&mut self, peer: PeerIndex) {
        self.end_dialling(peer);
        let Some(pipe) = self.pipe_mut(peer) else {
            return;
        };
        for index in pipe.take_sessions().into_iter().flatten() {
            self.retire(index);
        }
    }
}

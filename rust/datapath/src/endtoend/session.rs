//! The keys of one handshake between two hosts: one counter and one replay window.

use super::payload::{OVERHEAD_BYTES, PREFIX_BYTES, prefix};
use crate::aead::PacketKey;
use crate::counters::Reason;
use crate::handshake::SessionSecrets;
use crate::pipe::KeyLimits;
use crate::replay::ReplayWindow;

/// Datagrams between hosts use one lane.
const LANE: u8 = 0;

pub(super) struct Session {
    pub(super) own_id: u32,
    remote_id: u32,
    made_ns: u64,
    is_initiator: bool,
    next_counter: u64,
    forged: u64,
    sealing: PacketKey,
    opening: PacketKey,
    window: ReplayWindow,
}

impl Session {
    pub(super) fn new(
        made_ns: u64,
        secrets: &SessionSecrets,
        own_id: u32,
        remote_id: u32,
    ) -> Box<Self> {
        Box::new(Self {
            own_id,
            remote_id,
            made_ns,
            is_initiator: secrets.is_initiator(),
            next_counter: 0,
            forged: 0,
            sealing: PacketKey::new(&secrets.sealing_key(LANE)),
            opening: PacketKey::new(&secrets.opening_key(LANE)),
            window: ReplayWindow::new(),
        })
    }

    /// The payload of one datagram.
    ///
    /// # Errors
    /// `KeyExpired`.
    pub(super) fn seal(
        &mut self,
        now_ns: u64,
        limits: &KeyLimits,
        associated: &[u8],
        datagram: &[u8],
    ) -> Result<Vec<u8>, Reason> {
        if datagram.is_empty() && self.next_counter == 0 {
            self.next_counter = 1;
        }
        self.seal_any(now_ns, limits, associated, datagram)
    }

    /// The payload that shows the responder that we have the keys, where no datagram does: only as
    /// the first of a session.
    pub(super) fn confirm(&mut self, now_ns: u64, limits: &KeyLimits) -> Result<Vec<u8>, Reason> {
        self.seal_any(now_ns, limits, &[], &[])
    }

    fn seal_any(
        &mut self,
        now_ns: u64,
        limits: &KeyLimits,
        associated: &[u8],
        datagram: &[u8],
    ) -> Result<Vec<u8>, Reason> {
        if self.is_expired(now_ns, limits) || self.next_counter >= limits.reject_packets {
            return Err(Reason::KeyExpired);
        }
        let prefix = prefix(self.remote_id, self.next_counter);
        let mut payload = Vec::with_capacity(datagram.len() + OVERHEAD_BYTES);
        payload.extend_from_slice(&prefix);
        payload.extend_from_slice(datagram);
        let plain = payload.get_mut(PREFIX_BYTES..).unwrap_or_default();
        let tag = self
            .sealing
            .seal(self.next_counter, &joined(&prefix, associated), plain)?;
        payload.extend_from_slice(&tag);
        self.next_counter += 1;
        Ok(payload)
    }

    /// The datagram in `payload`; `None` for a confirmation.
    ///
    /// # Errors
    /// `KeyExpired`, `Replayed`, `BadEndToEnd`.
    pub(super) fn open(
        &mut self,
        now_ns: u64,
        limits: &KeyLimits,
        counter: u64,
        associated: &[u8],
        payload: &[u8],
    ) -> Result<Option<Vec<u8>>, Reason> {
        if self.is_expired(now_ns, limits) || counter >= limits.reject_packets {
            return Err(Reason::KeyExpired);
        }
        if !self.window.is_fresh(counter) {
            return Err(Reason::Replayed);
        }
        let is_confirmation = counter == 0 && payload.len() == OVERHEAD_BYTES;
        let associated = if is_confirmation { &[] } else { associated };
        let (prefix, sealed) = payload
            .split_at_checked(PREFIX_BYTES)
            .ok_or(Reason::BadEndToEnd)?;
        let mut sealed = sealed.to_vec();
        match self
            .opening
            .open(counter, &joined(prefix, associated), &mut sealed)
        {
            Ok(plain) => {
                let length = plain.len();
                sealed.truncate(length);
            }
            Err(_) => {
                self.forged += 1;
                return Err(Reason::BadEndToEnd);
            }
        }
        self.window.accept(counter);
        Ok((!is_confirmation).then_some(sealed))
    }

    pub(super) fn is_expired(&self, now_ns: u64, limits: &KeyLimits) -> bool {
        now_ns.saturating_sub(self.made_ns) >= limits.reject_ns
            || self.forged >= limits.forged_packets
    }

    /// Whether the handshake ended so lately that the peer's first payload may be under way.
    pub(super) fn is_young(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.made_ns) < 1_000_000_000
    }

    /// Whether a new handshake is due; the responder waits longer, so that both do not begin at once.
    pub(super) fn is_worn(&self, now_ns: u64, limits: &KeyLimits) -> bool {
        let grace_ns = if self.is_initiator {
            0
        } else {
            limits.rekey_ns / 12
        };
        now_ns.saturating_sub(self.made_ns) >= limits.rekey_ns + grace_ns
            || self.next_counter >= limits.rekey_packets
    }
}

fn joined(prefix: &[u8], associated: &[u8]) -> Vec<u8> {
    [prefix, associated].concat()
}

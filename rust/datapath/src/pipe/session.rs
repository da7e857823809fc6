//! One session of a pipe: the keys of one handshake, a counter and replay windows per lane.
//!
//! A pipe keeps up to three sessions while keys change (`pipes`): the one it seals with, the one
//! before it, and one that the peer has not used yet.

use std::mem::offset_of;
use std::ops::Range;

use crate::aead::PacketKey;
use crate::counters::Reason;
use crate::handshake::SessionSecrets;
use crate::replay::ReplayWindow;
use crate::wire::{Prefix, TAG_BYTES};

const SECOND_NS: u64 = 1_000_000_000;
/// The sealed part is padded to whole AES blocks: that saves the library its slow path for a partial
/// block, 40 to 50 ns each way (`docs/decisions/`), for at most 15 bytes.
const BLOCK_BYTES: usize = 16;

/// When keys are changed and when they are refused. The defaults are those of the design; tests scale
/// them down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimits {
    /// The initiator of a session begins the next one after this time (WireGuard, section 6.1).
    pub rekey_ns: u64,
    /// A session neither seals nor opens after this time.
    pub reject_ns: u64,
    /// A new key is made at this many packets per lane.
    pub rekey_packets: u64,
    /// A key is refused at this many packets per lane.
    pub reject_packets: u64,
    /// A session ends after this many packets that did not verify (RFC 9001 section 6.6).
    pub forged_packets: u64,
}

impl KeyLimits {
    /// Largest datagram for which `rekey_packets` and `reject_packets` are 2^27 and 2^28.
    pub const SHORT_DATAGRAM_BYTES: usize = 2_048;

    /// Limits for AES-GCM, by the largest datagram that the pipe carries.
    pub const fn for_datagrams(max_datagram_bytes: usize) -> Self {
        let is_short = max_datagram_bytes <= Self::SHORT_DATAGRAM_BYTES;
        Self {
            rekey_ns: 120 * SECOND_NS,
            reject_ns: 180 * SECOND_NS,
            rekey_packets: if is_short { 1 << 27 } else { 1 << 22 },
            reject_packets: if is_short { 1 << 28 } else { 1 << 23 },
            forged_packets: 1 << 52,
        }
    }
}

/// Which of the peer's lanes this thread opens: those with `lane % threads == thread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneShare {
    /// Our threads, 1 to 16.
    pub threads: u8,
    /// This thread: also the lane that it seals on.
    pub thread: u8,
    /// The peer's sending lanes, 1 to 16.
    pub peer_lanes: u8,
}

struct OpeningLane {
    key: PacketKey,
    window: ReplayWindow,
}

/// The keys of one handshake as one thread uses them. What each packet needs beside a key lies in the
/// first cache line.
#[repr(C, align(64))]
pub struct Session {
    made_ns: u64,
    next_counter: u64,
    forged: u64,
    window: ReplayWindow,
    /// Further lanes of the peer that this thread opens; none when threads are as many on both sides.
    more_opening: Option<Box<MoreLanes>>,
    /// Where the peer's packets of this session go, with our lane in the low four bits.
    remote_index: u32,
    share: LaneShare,
    is_initiator: bool,
    sealing: PacketKey,
    opening: PacketKey,
}

/// Behind one pointer, which leaves room in the first line.
struct MoreLanes(Vec<OpeningLane>);

impl Session {
    /// The session of a handshake that ended at `made_ns`. `remote_index` is the peer's receiver index
    /// with lane bits zero. Where the peer has no lane for this thread, nothing comes here to open.
    pub fn new(
        made_ns: u64,
        secrets: &SessionSecrets,
        remote_index: u32,
        share: LaneShare,
    ) -> Self {
        let opening = |lane: u8| PacketKey::new(&secrets.opening_key(lane));
        let more: Vec<_> = (share.thread..share.peer_lanes)
            .step_by(usize::from(share.threads.max(1)))
            .skip(1)
            .map(|lane| OpeningLane {
                key: opening(lane),
                window: ReplayWindow::new(),
            })
            .collect();
        Self {
            made_ns,
            share,
            remote_index: (remote_index & !0x0f) | u32::from(share.thread & 0x0f),
            next_counter: 0,
            forged: 0,
            is_initiator: secrets.is_initiator(),
            window: ReplayWindow::new(),
            sealing: PacketKey::new(&secrets.sealing_key(share.thread)),
            opening: opening(share.thread),
            more_opening: (!more.is_empty()).then(|| Box::new(MoreLanes(more))),
        }
    }

    /// Bytes on the wire of a packet with these lengths.
    #[inline]
    pub const fn sealed_bytes(header: usize, payload: usize, is_covered: bool) -> usize {
        if is_covered {
            Prefix::BYTES + (header + payload).next_multiple_of(BLOCK_BYTES) + TAG_BYTES
        } else {
            Prefix::BYTES + header.next_multiple_of(BLOCK_BYTES) + TAG_BYTES + payload
        }
    }

    /// Seal `header` and `payload` to the front of `out`; returns the bytes written.
    ///
    /// # Errors
    /// `KeyExpired`; `TooBig` when `out` is too short or the sealed part exceeds its length field.
    #[inline]
    pub fn seal(
        &mut self,
        now_ns: u64,
        limits: &KeyLimits,
        header: &[u8],
        payload: &[u8],
        is_covered: bool,
        out: &mut [u8],
    ) -> Result<usize, Reason> {
        if self.is_expired(now_ns, limits) || self.next_counter >= limits.reject_packets {
            return Err(Reason::KeyExpired);
        }
        let (covered, uncovered) = match is_covered {
            true => (payload, &[][..]),
            false => (&[][..], payload),
        };
        let plain_bytes = header.len() + covered.len();
        let sealed_bytes = plain_bytes.next_multiple_of(BLOCK_BYTES) + TAG_BYTES;
        let prefix = Prefix {
            is_covered,
            sealed_bytes: u16::try_from(sealed_bytes).map_err(|_| Reason::TooBig)?,
            receiver_index: self.remote_index,
            counter: self.next_counter,
        }
        .emit();
        let total = Prefix::BYTES + sealed_bytes + uncovered.len();
        let out = out.get_mut(..total).ok_or(Reason::TooBig)?;
        let (place, rest) = out.split_at_mut(Prefix::BYTES);
        place.copy_from_slice(&prefix);
        let (plain, rest) = rest.split_at_mut(sealed_bytes - TAG_BYTES);
        let (tag, after_seal) = rest.split_at_mut(TAG_BYTES);
        after_seal.copy_from_slice(uncovered);
        let (place, rest) = plain.split_at_mut(header.len());
        place.copy_from_slice(header);
        let (place, padding) = rest.split_at_mut(covered.len());
        place.copy_from_slice(covered);
        padding.fill(0);
        tag.copy_from_slice(&self.sealing.seal(self.next_counter, &prefix, plain)?);
        self.next_counter += 1;
        Ok(total)
    }

    /// Verify and decrypt the sealed part of `datagram` in place; the plaintext is returned (header,
    /// the payload if covered, padding). The replay window moves only on success.
    ///
    /// # Errors
    /// `UnknownPipe` (not a lane of this thread), `KeyExpired`, `Replayed`, `BadSeal`.
    #[inline]
    pub fn open<'a>(
        &mut self,
        now_ns: u64,
        limits: &KeyLimits,
        prefix: &Prefix,
        datagram: &'a mut [u8],
    ) -> Result<(&'a mut [u8], IsNewest), Reason> {
        if self.is_expired(now_ns, limits) || prefix.counter >= limits.reject_packets {
            return Err(Reason::KeyExpired);
        }
        let (key, window) = self
            .opening_lane(prefix.lane())
            .ok_or(Reason::UnknownPipe)?;
        if !window.is_fresh(prefix.counter) {
            return Err(Reason::Replayed);
        }
        let (associated, rest) = datagram
            .split_at_mut_checked(Prefix::BYTES)
            .ok_or(Reason::Truncated)?;
        let sealed = rest
            .get_mut(..usize::from(prefix.sealed_bytes))
            .ok_or(Reason::Truncated)?;
        match key.open(prefix.counter, associated, sealed) {
            Ok(plain) => {
                let is_newest = IsNewest(window.is_newest(prefix.counter));
                window.accept(prefix.counter);
                Ok((plain, is_newest))
            }
            Err(reason) => {
                self.forged += 1;
                Err(reason)
            }
        }
    }

    /// The bytes that `seal` reads, to be asked for beforehand.
    pub const READ_BY_SEALING: Range<usize> = 0..offset_of!(Session, opening);
    /// The bytes that `open` reads of a packet that comes in order: these, and the key.
    pub const READ_BY_OPENING: [Range<usize>; 2] = [
        0..offset_of!(Session, sealing),
        offset_of!(Session, opening)..size_of::<Session>(),
    ];

    #[inline]
    fn opening_lane(&mut self, lane: u8) -> Option<(&PacketKey, &mut ReplayWindow)> {
        if lane == self.share.thread {
            return Some((&self.opening, &mut self.window));
        }
        let ahead = lane.checked_sub(self.share.thread)?;
        if ahead % self.share.threads != 0 {
            return None;
        }
        let place = usize::from(ahead / self.share.threads).checked_sub(1)?;
        let OpeningLane { key, window } = self.more_opening.as_mut()?.0.get_mut(place)?;
        Some((key, window))
    }

    /// Whether it may neither seal nor open any more.
    #[inline]
    pub fn is_expired(&self, now_ns: u64, limits: &KeyLimits) -> bool {
        now_ns.saturating_sub(self.made_ns) >= limits.reject_ns
            || self.forged >= limits.forged_packets
    }

    /// When the handshake ended here.
    pub fn made_ns(&self) -> u64 {
        self.made_ns
    }

    /// Whether this end began the handshake.
    pub fn is_initiator(&self) -> bool {
        self.is_initiator
    }

    /// Whether so many packets were sealed that a new key is due.
    #[inline]
    pub fn is_worn(&self, limits: &KeyLimits) -> bool {
        self.next_counter >= limits.rekey_packets
    }

    /// As `is_worn`, but only now and then, for who seals and must tell somebody.
    #[inline]
    pub fn shows_wear(&self, limits: &KeyLimits) -> bool {
        const EVERY_PACKETS: u64 = 64;
        self.is_worn(limits) && self.next_counter & (EVERY_PACKETS - 1) == 0
    }

    /// When a new handshake is due: the responder waits 10 s longer, so that both do not begin at once.
    pub fn rekey_ns(&self, limits: &KeyLimits) -> u64 {
        let grace_ns = if self.is_initiator {
            0
        } else {
            limits.rekey_ns / 12
        };
        self.made_ns
            .saturating_add(limits.rekey_ns)
            .saturating_add(grace_ns)
    }

    /// When it is refused.
    pub fn reject_ns(&self, limits: &KeyLimits) -> u64 {
        self.made_ns.saturating_add(limits.reject_ns)
    }
}

/// Whether an opened packet has the highest counter of its lane so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsNewest(pub bool);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_keys_and_one_cache_line() {
        assert_eq!(offset_of!(Session, sealing), 64);
        assert_eq!(size_of::<Session>(), 64 + 2 * size_of::<PacketKey>());
    }
}

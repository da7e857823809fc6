//! A payload on its way through the stages of a decision, which may put another one in its place.

use std::borrow::Cow;

use super::compress::Zstd;
use crate::packet::Packet;
use crate::wire::Protection;

/// What stages see of a packet, and what they made of it.
#[derive(Debug)]
pub struct Carried<'a> {
    /// Of the payload as it is now.
    pub protection: Protection,
    /// The payload may be read here.
    pub is_covered: bool,
    payload: Cow<'a, [u8]>,
}

impl<'a> Carried<'a> {
    /// The payload of a packet as it came.
    #[inline]
    pub fn of(packet: &Packet<'a>) -> Self {
        Self::new(packet.payload, packet.header.protection, packet.is_covered)
    }

    /// Any payload.
    pub fn new(payload: &'a [u8], protection: Protection, is_covered: bool) -> Self {
        Self {
            protection,
            is_covered,
            payload: Cow::Borrowed(payload),
        }
    }

    /// As it is now.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether a stage changed it.
    #[inline]
    pub fn is_changed(&self) -> bool {
        matches!(self.payload, Cow::Owned(_))
    }

    /// `packet` with the payload as it is now.
    pub fn put_in<'b>(&'b self, packet: &Packet<'b>) -> Packet<'b> {
        let mut changed = *packet;
        changed.header.protection = self.protection;
        changed.header.payload_bytes = self.payload.len() as u16;
        changed.payload = &self.payload;
        changed
    }

    /// Put another payload in its place.
    pub(super) fn replace(&mut self, payload: Vec<u8>, protection: Protection, zstd: &mut Zstd) {
        self.protection = protection;
        if let Cow::Owned(before) = std::mem::replace(&mut self.payload, Cow::Owned(payload)) {
            zstd.give_back(before);
        }
    }

    /// Done with it.
    pub fn end(self, zstd: &mut Zstd) {
        if let Cow::Owned(payload) = self.payload {
            zstd.give_back(payload);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_changed_is_borrowed() {
        let mut carried = Carried::new(b"before", Protection::None, true);
        assert!(!carried.is_changed());

        carried.replace(b"after".to_vec(), Protection::Packed, &mut Zstd::default());

        assert!(carried.is_changed());
        assert_eq!(
            (carried.payload(), carried.protection),
            (&b"after"[..], Protection::Packed)
        );
    }
}

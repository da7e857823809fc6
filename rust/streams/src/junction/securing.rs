//! Streams whose TLS ends here: what is read and written is plain, what comes and goes is not.

use super::entry::{End, Out};
use super::{Closing, Got, Junction, Sockets};
use crate::secured::{RECEIVE_BYTES, SECURED_BYTES, Secured};
use crate::sites::Sites;

/// Within this the other end has to be done with its handshake.
const HANDSHAKE_NS: u64 = 10 * 1_000_000_000;

impl Junction {
    /// The sites whose TLS ends here, from now on; open streams stay.
    pub fn set_sites(&mut self, sites: Sites) {
        self.sites = sites;
    }

    /// From here on a stream's bytes are those of TLS, and its end here is that of `site`.
    pub(super) fn secure(
        &mut self,
        sockets: &mut impl Sockets,
        service: u32,
        stream: u64,
        site: &str,
    ) {
        let Some(place) = self.table.find(service, stream) else {
            return;
        };
        let now_ns = self.now_ns;
        let can_be = self.table.get(place).is_some_and(|entry| {
            entry.is_open()
                && entry.splice.is_none()
                && entry.secured.is_none()
                && entry.out == Out::Open
        });
        if !can_be {
            self.counted.refused += 1;
            return;
        }
        let Some(config) = self.sites.find(site) else {
            return self.close(sockets, place, Closing::NotAllowed);
        };
        let peer = self.table.get(place).map_or([0; 16], |entry| entry.peer);
        if !self.handshakes.take(now_ns, peer) || !self.table.reserve(place, SECURED_BYTES) {
            return self.close(sockets, place, Closing::TooManyStreams);
        }
        let Some(entry) = self.table.get_mut(place) else {
            return;
        };
        let first = entry.unsent.iter().flatten().copied().collect();
        let Ok(secured) = Secured::new(config, first) else {
            return self.close(sockets, place, Closing::BadTls);
        };
        entry.drop_unsent();
        entry.secured = Some(Box::new(secured));
        entry.until_ns = Some(now_ns.saturating_add(HANDSHAKE_NS));
        self.set_deadline(place);
        self.to_work.add(place);
    }

    /// Go on with a handshake that nobody's reading moves.
    pub(super) fn shake_hands(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
    ) -> Result<(), Closing> {
        while self.is_handshaking(place) {
            if !self.take_sealed(sockets, place)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Read plain bytes into `scratch`.
    pub(super) fn read_secured(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        limit: usize,
    ) -> Result<Got, Closing> {
        let mut plain = Vec::new();
        let got = loop {
            let Some(secured) = self.secured(place) else {
                return Err(Closing::Lost);
            };
            let read = secured.read(limit, &mut plain);
            // What was read may have to be answered, and what is wrong to be said.
            self.send_sealed(sockets, place)?;
            let is_end = read.map_err(|_| Closing::BadTls)?;
            if !plain.is_empty() || is_end {
                break Ok(Got {
                    bytes: plain.len(),
                    is_end,
                });
            }
            if !self.take_sealed(sockets, place)? {
                break Ok(Got {
                    bytes: 0,
                    is_end: false,
                });
            }
        };
        self.pieces.clear();
        self.scratch = plain;
        got
    }

    /// Take what came for TLS; false when nothing did.
    fn take_sealed(&mut self, sockets: &mut impl Sockets, place: usize) -> Result<bool, Closing> {
        let got = self.read_raw(sockets, place, RECEIVE_BYTES)?;
        let mut sealed = std::mem::take(&mut self.scratch);
        for piece in self.pieces.drain(..) {
            sealed.extend_from_slice(&piece);
        }
        let was_handshaking = self.is_handshaking(place);
        let taken = self.secured(place).map(|secured| secured.receive(&sealed));
        sealed.clear();
        self.scratch = sealed;
        self.send_sealed(sockets, place)?;
        if matches!(taken, Some(Err(_))) {
            return Err(Closing::BadTls);
        }
        if was_handshaking && !self.is_handshaking(place) {
            if let Some(entry) = self.table.get_mut(place) {
                entry.until_ns = None;
            }
            self.set_deadline(place);
            // For what waits to be written.
            self.to_work.add(place);
        }
        if got.bytes == 0 && got.is_end {
            // The end of the bytes is not that of TLS: anybody on the way could have made it.
            return Err(Closing::Reset);
        }
        Ok(got.bytes > 0)
    }

    /// Write plain bytes; returns how many were taken.
    pub(super) fn write_secured(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
        bytes: &[u8],
    ) -> Result<usize, Closing> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let is_sent = self.send_sealed(sockets, place)?;
            let sealed = match self.secured(place) {
                Some(secured) if is_sent => secured.write(rest),
                _ => 0,
            };
            if sealed == 0 {
                break;
            }
            taken += sealed;
        }
        self.send_sealed(sockets, place)?;
        Ok(taken)
    }

    /// Send what is sealed; whether all of it went, which it has where there is no TLS.
    pub(super) fn send_sealed(
        &mut self,
        sockets: &mut impl Sockets,
        place: usize,
    ) -> Result<bool, Closing> {
        let Some(mut secured) = self.table.get_mut(place).and_then(|it| it.secured.take()) else {
            return Ok(true);
        };
        let mut sent = Ok(0);
        while let (Ok(_), false) = (&sent, secured.to_send().is_empty()) {
            sent = self.write_raw(sockets, place, secured.to_send());
            secured.note_sent(*sent.as_ref().unwrap_or(&0));
            if matches!(sent, Ok(0)) {
                break;
            }
        }
        let is_sent = secured.to_send().is_empty();
        // The other end may have given the stream up meanwhile.
        if let Some(entry) = self.table.get_mut(place)
            && entry.end != End::Gone
        {
            entry.secured = Some(secured);
        }
        sent.map(|_| is_sent)
    }

    /// Say that nothing follows; whether that is sent, which it is where there is no TLS.
    pub(super) fn end_secured(&mut self, sockets: &mut impl Sockets, place: usize) -> bool {
        if let Some(secured) = self.secured(place) {
            secured.say_end();
        }
        // A broken end is told by reading.
        self.send_sealed(sockets, place).unwrap_or(true)
    }

    /// Whether a stream has TLS that is not agreed on yet.
    fn is_handshaking(&self, place: usize) -> bool {
        let secured = self.table.get(place).and_then(|it| it.secured.as_ref());
        secured.is_some_and(|secured| secured.is_handshaking())
    }

    fn secured(&mut self, place: usize) -> Option<&mut Secured> {
        self.table.get_mut(place)?.secured.as_deref_mut()
    }
}

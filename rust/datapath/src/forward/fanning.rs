//! Packets that one decision sends to many, hop by hop: all packets to the first hop, then all to the second.
//!
//! So the keys and the train of a hop, and the packets, stay in the nearest caches. Packet by packet the trains of
//! all hops would be written in turn, 36 kB each, and be in no cache any more when they are sent.

use super::Datapath;
use super::arrive::LetIn;
use super::departures::{Copy, copy_of};
use super::follow::{fate_of, merge};
use crate::cache::{Entry, EntryId};
use crate::counters::{Fate, Reason};
use crate::decide::Decided;
use crate::packet::Packet;
use crate::trains::{Depart, MAX_SEGMENTS};
use crate::wire::{Address, Header};

/// A packet on its way to all hops.
struct Fanned<'a> {
    packet: &'a Packet<'a>,
    /// `None` if it may not go.
    copy: Option<Copy<'a>>,
    fate: Fate,
}

impl Datapath {
    /// Send the first packets, which go the way of `id`, to all its hops; return the others.
    ///
    /// Each hop gets them in the order in which they came.
    pub(super) fn fan_out_alike<'a, 'b>(
        &mut self,
        now_ns: u64,
        id: EntryId,
        admitted: &'a [Option<LetIn<'b>>],
        depart: &mut Option<Depart<'_>>,
    ) -> &'a [Option<LetIn<'b>>] {
        let Self {
            decisions,
            departures,
            copies,
            headers,
            ..
        } = self;
        let (alike, others) = split(admitted);
        let decided = Decided::Cached(id);
        let entry = decisions.entry(&decided);
        let hop_count = entry.map_or(0, Entry::hop_count);

        headers.resize(headers.len().max(alike.len()), [0; Header::MAX_BYTES]);
        let mut fanned = [const { None }; MAX_SEGMENTS];
        for (place, ((one, _), header)) in
            fanned.iter_mut().zip(alike.iter().flatten().zip(headers))
        {
            let packet = &one.packet;
            let is_peer = |address: &Address| departures.pipes.find(address).is_some();
            let copy = copies
                .take(now_ns, packet.ingress, hop_count, is_peer)
                .and_then(|()| copy_of(packet, header));
            *place = Some(Fanned {
                packet,
                fate: Fate::Dropped(
                    copy.as_ref()
                        .err()
                        .copied()
                        .unwrap_or(Reason::PeerUnreachable),
                ),
                copy: copy.ok(),
            });
        }
        for (hop, changes) in entry.into_iter().flat_map(Entry::hops) {
            for Fanned { packet, copy, fate } in fanned.iter_mut().flatten() {
                let Some(copy) = copy else { continue };
                let sent = departures.send_changed(now_ns, hop.peer, &changes, packet, copy);
                merge(fate, fate_of(sent));
            }
            if let Some(depart) = depart {
                departures.depart(depart);
            }
        }
        let fates = fanned.map(|fanned: Option<Fanned<'_>>| fanned.map(|fanned| fanned.fate));
        for ((_, bytes), fate) in alike.iter().flatten().zip(fates.into_iter().flatten()) {
            self.count(fate, *bytes);
        }
        others
    }
}

/// Those at the front that go the way of the first, and the others.
fn split<'a, 'b>(
    admitted: &'a [Option<LetIn<'b>>],
) -> (&'a [Option<LetIn<'b>>], &'a [Option<LetIn<'b>>]) {
    let key = admitted.iter().flatten().map(|(one, _)| one.key).next();
    let alike = admitted.iter().take_while(|place| {
        place
            .as_ref()
            .is_none_or(|(one, _)| Some(one.key) == key && !one.packet.header.is_traced)
    });
    let count = alike.count().min(MAX_SEGMENTS);
    admitted.split_at_checked(count).unwrap_or((admitted, &[]))
}

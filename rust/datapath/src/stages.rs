//! Native per-packet functions that a decision applies before its action.
//!
//! A stage with state names an object in a bounded table of its service. Decisions only refer to
//! it, so that forgetting a decision resets nothing. A full table forgets its oldest object; what
//! referred to it then misses, and the service's next answer makes it anew.

mod carried;
mod compress;
mod frame;
mod keep;
mod meter;
mod tally;

pub use carried::Carried;
pub use compress::{Dictionaries, Dictionary, MAX_DICTIONARY_BYTES, Zstd};
pub use keep::{Kept, NAME_BYTES, Name};
pub use meter::Meter;
pub use tally::Tally;

use std::collections::{BTreeMap, VecDeque};

use crate::cache::{ServiceIndex, StageRef, Task};
use crate::codec::Stage;
use crate::counters::Reason;
use crate::packet::{OwnedPacket, Packet};
use crate::wire::Protection;

/// Bytes that all histories of one service may come to hold.
const MAX_KEPT_BYTES: usize = 256 << 20;
/// A history that was not added to for so long makes room for others.
const KEPT_IDLE_NS: u64 = 30_000_000_000;
/// Which those are is looked at this often, since there may be 65,536 and each packet may name one.
const IDLE_LOOK_NS: u64 = 1_000_000_000;

/// The objects of one service.
#[derive(Clone, Debug)]
pub struct Objects {
    service: ServiceIndex,
    limit: usize,
    places: Vec<Place>,
    meters: BTreeMap<Box<[u8]>, u32>,
    tallies: BTreeMap<Box<[u8]>, u32>,
    dictionaries: BTreeMap<Box<[u8]>, u32>,
    histories: BTreeMap<Box<[u8]>, u32>,
    /// What all histories may come to hold.
    kept_limit_bytes: usize,
    idle_look_ns: u64,
    by_age: VecDeque<u32>,
}

#[derive(Clone, Debug)]
struct Place {
    generation: u32,
    name: Box<[u8]>,
    object: Object,
}

#[derive(Clone, Debug)]
enum Object {
    Meter(Meter),
    Tally(Tally),
    Dictionaries(Dictionaries),
    Kept(Kept),
}

impl Objects {
    /// An empty table of at most `limit` objects.
    pub fn new(service: ServiceIndex, limit: usize) -> Self {
        Self {
            service,
            limit: limit.min(u32::MAX as usize),
            places: Vec::new(),
            meters: BTreeMap::new(),
            tallies: BTreeMap::new(),
            dictionaries: BTreeMap::new(),
            histories: BTreeMap::new(),
            kept_limit_bytes: 0,
            idle_look_ns: 0,
            by_age: VecDeque::new(),
        }
    }

    /// Objects in the table.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The object that `stage` names, made if it is new; it takes what the stage says of it.
    /// `None` when the table holds no objects at all, and for dictionaries of which none is kept.
    pub fn resolve(&mut self, stage: &Stage<'_>, now_ns: u64) -> Option<StageRef> {
        let known = match stage {
            Stage::Meter { object, .. } => self.meters.get(*object),
            Stage::Tally { object } => self.tallies.get(*object),
            Stage::Compress { object, .. } | Stage::Decompress { object, .. } => {
                self.dictionaries.get(*object)
            }
            Stage::Keep { object, .. } => self.histories.get(*object),
        };
        let (number, task) = match (known, *stage) {
            (
                known,
                Stage::Meter {
                    object,
                    rate_bytes_per_s,
                    burst_bytes,
                },
            ) => {
                let number = match known {
                    Some(number) => *number,
                    None => {
                        let meter = Meter::new(now_ns, rate_bytes_per_s, burst_bytes);
                        self.make(object, Object::Meter(meter))?
                    }
                };
                let object = self.object(number)?;
                if let Object::Meter(meter) = object {
                    meter.change(now_ns, rate_bytes_per_s, burst_bytes);
                }
                (number, Task::Count)
            }
            (known, Stage::Tally { object }) => {
                let number = match known {
                    Some(number) => *number,
                    None => self.make(object, Object::Tally(Tally::default()))?,
                };
                (number, Task::Count)
            }
            (
                known,
                Stage::Keep {
                    object,
                    packets,
                    bytes,
                },
            ) => {
                let number = match known {
                    Some(number) => *number,
                    None => self.make(object, Object::Kept(Kept::new(now_ns)))?,
                };
                self.reserve(number, now_ns, packets as usize, bytes as usize);
                (number, Task::Count)
            }
            (
                known,
                Stage::Compress {
                    dictionary, ratio, ..
                },
            ) => (*known?, Task::Compress { dictionary, ratio }),
            (
                known,
                Stage::Decompress {
                    ratio, limit_bytes, ..
                },
            ) => (*known?, Task::Decompress { ratio, limit_bytes }),
        };
        Some(StageRef {
            service: self.service,
            object: number,
            generation: self.places.get(number as usize)?.generation,
            task,
        })
    }

    /// Keep a dictionary in the object `name`, which is made if it is new. False when it is no dictionary,
    /// or the table holds no objects at all.
    pub fn keep_dictionary(&mut self, name: &[u8], bytes: &[u8]) -> bool {
        let known = self.dictionaries.get(name).copied();
        if let Some(Object::Dictionaries(kept)) = known.and_then(|number| self.object(number))
            && kept.has(bytes)
        {
            return true;
        }
        let Some(dictionary) = Dictionary::new(bytes) else {
            return false;
        };
        let number =
            known.or_else(|| self.make(name, Object::Dictionaries(Dictionaries::default())));
        match number.and_then(|number| self.object(number)) {
            Some(Object::Dictionaries(kept)) => {
                kept.keep(dictionary);
                true
            }
            _ => false,
        }
    }

    /// Whether the object of `stage` is still the one that was resolved.
    pub fn holds(&self, stage: &StageRef) -> bool {
        self.places
            .get(stage.object as usize)
            .is_some_and(|place| place.generation == stage.generation)
    }

    /// Apply one stage to a packet: `packet` but for what is carried.
    ///
    /// # Errors
    /// `Metered`, and those of `Zstd::decompress`.
    pub fn apply(
        &mut self,
        stage: &StageRef,
        now_ns: u64,
        carried: &mut Carried<'_>,
        zstd: &mut Zstd,
        packet: Option<&Packet<'_>>,
    ) -> Result<(), Reason> {
        let place = self.places.get_mut(stage.object as usize);
        match (place.map(|place| &mut place.object), stage.task) {
            (Some(Object::Meter(meter)), _) => meter.take(now_ns, carried.payload().len()),
            (Some(Object::Tally(tally)), _) => {
                tally.add(carried.payload().len());
                Ok(())
            }
            (Some(Object::Kept(kept)), _) => {
                if let Some(packet) = packet {
                    kept.add(now_ns, &carried.put_in(packet));
                }
                Ok(())
            }
            (Some(Object::Dictionaries(kept)), Task::Compress { dictionary, ratio })
                if carried.is_covered && carried.protection == Protection::None =>
            {
                if let Some(frame) = zstd.compress(kept, dictionary, ratio, carried.payload()) {
                    carried.replace(frame, Protection::Packed, zstd);
                }
                Ok(())
            }
            (Some(Object::Dictionaries(kept)), Task::Decompress { ratio, limit_bytes })
                if carried.protection == Protection::Packed =>
            {
                let limit_bytes = limit_bytes as usize;
                let payload = zstd.decompress(kept, ratio, limit_bytes, carried.payload())?;
                carried.replace(payload, Protection::None, zstd);
                Ok(())
            }
            (Some(Object::Dictionaries(_)) | None, _) => Ok(()),
        }
    }

    /// The counts of a tally; zero for one that does not exist (any more).
    pub fn read_tally(&self, name: &[u8]) -> Tally {
        let number = self.tallies.get(name).copied().unwrap_or(u32::MAX);
        match self.places.get(number as usize) {
            Some(Place {
                object: Object::Tally(tally),
                ..
            }) => *tally,
            _ => Tally::default(),
        }
    }

    /// A packet that is kept in the history of a name.
    pub fn kept(&self, history: &[u8], name: &Name) -> Option<&OwnedPacket> {
        let number = self.histories.get(history)?;
        match &self.places.get(*number as usize)?.object {
            Object::Kept(kept) => kept.find(name),
            _ => None,
        }
    }

    /// Forget what all histories keep, for its memory; returns the bytes of that.
    pub fn forget_kept(&mut self) -> usize {
        let objects = self.places.iter_mut().map(|place| &mut place.object);
        objects
            .map(|object| match object {
                Object::Kept(kept) => kept.forget(),
                _ => 0,
            })
            .sum()
    }

    /// Give a history its limits, as far as there is room beside the others: else it keeps nothing.
    fn reserve(&mut self, number: u32, now_ns: u64, packets: usize, bytes: usize) {
        if now_ns >= self.idle_look_ns {
            self.idle_look_ns = now_ns.saturating_add(IDLE_LOOK_NS);
            self.end_idle(now_ns, number);
        }
        let all = self.kept_limit_bytes;
        let Some(Object::Kept(kept)) = self.object(number) else {
            return;
        };
        let others = all - kept.limit_bytes();
        let has_room = others + bytes <= MAX_KEPT_BYTES;
        let limit_bytes = if has_room { bytes } else { 0 };
        kept.change(packets, limit_bytes);
        self.kept_limit_bytes = others + limit_bytes;
    }

    /// Have the histories that nothing is added to keep nothing; that of `number` is about to be added to.
    fn end_idle(&mut self, now_ns: u64, number: u32) {
        for place in self.histories.values().filter(|place| **place != number) {
            if let Some(Place {
                object: Object::Kept(kept),
                ..
            }) = self.places.get_mut(*place as usize)
                && now_ns.saturating_sub(kept.added_ns()) > KEPT_IDLE_NS
            {
                self.kept_limit_bytes -= kept.limit_bytes();
                kept.change(0, 0);
            }
        }
    }

    fn object(&mut self, number: u32) -> Option<&mut Object> {
        let place = self.places.get_mut(number as usize)?;
        Some(&mut place.object)
    }

    fn make(&mut self, name: &[u8], object: Object) -> Option<u32> {
        let number = self.free_place()?;
        let place = self.places.get_mut(number as usize)?;
        place.name = name.into();
        place.object = object;
        match place.object {
            Object::Meter(_) => self.meters.insert(name.into(), number),
            Object::Tally(_) => self.tallies.insert(name.into(), number),
            Object::Dictionaries(_) => self.dictionaries.insert(name.into(), number),
            Object::Kept(_) => self.histories.insert(name.into(), number),
        };
        self.by_age.push_back(number);
        Some(number)
    }

    /// A new place, or that of the oldest object.
    fn free_place(&mut self) -> Option<u32> {
        if self.places.len() < self.limit {
            self.places.push(Place {
                generation: 0,
                name: Box::default(),
                object: Object::Tally(Tally::default()),
            });
            return Some((self.places.len() - 1) as u32);
        }
        let number = self.by_age.pop_front()?;
        let place = self.places.get_mut(number as usize)?;
        match &place.object {
            Object::Meter(_) => self.meters.remove(&place.name),
            Object::Tally(_) => self.tallies.remove(&place.name),
            Object::Dictionaries(_) => self.dictionaries.remove(&place.name),
            Object::Kept(kept) => {
                self.kept_limit_bytes -= kept.limit_bytes();
                self.histories.remove(&place.name)
            }
        };
        place.generation = place.generation.wrapping_add(1);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(object: &[u8]) -> Stage<'_> {
        Stage::Tally { object }
    }

    fn meter(object: &[u8], burst_bytes: u64) -> Stage<'_> {
        Stage::Meter {
            object,
            rate_bytes_per_s: 1,
            burst_bytes,
        }
    }

    fn objects(limit: usize) -> Objects {
        Objects::new(ServiceIndex(0), limit)
    }

    /// Apply a stage to a payload of so many bytes.
    fn apply(objects: &mut Objects, stage: &StageRef, bytes: usize) -> Result<(), Reason> {
        let payload = vec![0; bytes];
        let mut carried = Carried::new(&payload, Protection::None, true);
        objects.apply(stage, 0, &mut carried, &mut Zstd::default(), None)
    }

    #[test]
    fn two_stages_that_name_an_object_share_it() {
        let mut objects = objects(8);
        let first = objects.resolve(&meter(b"m", 100), 0).unwrap();
        let second = objects.resolve(&meter(b"m", 100), 0).unwrap();

        assert_eq!(apply(&mut objects, &first, 60), Ok(()));

        assert_eq!(apply(&mut objects, &second, 60), Err(Reason::Metered));
    }

    #[test]
    fn a_meter_and_a_tally_of_one_name_are_two_objects() {
        let mut objects = objects(8);
        let meter = objects.resolve(&meter(b"x", 100), 0).unwrap();
        let tally = objects.resolve(&tally(b"x"), 0).unwrap();

        assert_ne!(meter.object, tally.object);
        assert_eq!(objects.len(), 2);
    }

    #[test]
    fn a_full_table_forgets_its_oldest_object_and_says_so() {
        let mut objects = objects(2);
        let oldest = objects.resolve(&tally(b"a"), 0).unwrap();
        let younger = objects.resolve(&tally(b"b"), 0).unwrap();
        apply(&mut objects, &oldest, 10).unwrap();

        let newest = objects.resolve(&tally(b"c"), 0).unwrap();

        assert!(!objects.holds(&oldest));
        assert!(objects.holds(&younger) && objects.holds(&newest));
        assert_eq!(objects.read_tally(b"a"), Tally::default());
        assert_eq!(objects.read_tally(b"c"), Tally::default());
    }

    #[test]
    fn a_table_of_no_objects_makes_none() {
        assert_eq!(objects(0).resolve(&tally(b"a"), 0), None);
    }

    #[test]
    fn a_tally_is_read_by_its_name() {
        let mut objects = objects(2);
        let stage = objects.resolve(&tally(b"a"), 0).unwrap();

        apply(&mut objects, &stage, 10).unwrap();
        apply(&mut objects, &stage, 5).unwrap();

        assert_eq!(
            objects.read_tally(b"a"),
            Tally {
                packets: 2,
                payload_bytes: 15
            }
        );
    }

    #[test]
    fn histories_share_what_one_service_may_keep() {
        let keep = |object: &'static [u8]| Stage::Keep {
            object,
            packets: 10,
            bytes: MAX_KEPT_BYTES as u64,
        };
        let mut objects = objects(8);
        let first = objects.resolve(&keep(b"a"), 0).unwrap();
        objects.resolve(&keep(b"b"), 0).unwrap();
        assert_eq!(limit_of(&objects, b"a"), MAX_KEPT_BYTES);
        assert_eq!(limit_of(&objects, b"b"), 0);

        objects.resolve(&keep(b"b"), KEPT_IDLE_NS + 1).unwrap();

        assert_eq!(limit_of(&objects, b"a"), 0);
        assert_eq!(limit_of(&objects, b"b"), MAX_KEPT_BYTES);
        assert!(objects.holds(&first));
    }

    #[test]
    fn a_history_that_was_just_made_is_not_idle() {
        let keep = |object: &'static [u8]| Stage::Keep {
            object,
            packets: 10,
            bytes: 1_000,
        };
        let mut objects = objects(8);

        objects.resolve(&keep(b"a"), 2 * KEPT_IDLE_NS).unwrap();
        let later_ns = 2 * KEPT_IDLE_NS + IDLE_LOOK_NS;
        objects.resolve(&keep(b"b"), later_ns).unwrap();

        assert_eq!(limit_of(&objects, b"a"), 1_000);
    }

    #[test]
    fn a_history_that_made_room_for_another_object_leaves_its_share() {
        let keep = |object: &'static [u8], bytes| Stage::Keep {
            object,
            packets: 10,
            bytes,
        };
        let mut objects = objects(2);
        objects.resolve(&keep(b"a", 9), 0).unwrap();
        objects.resolve(&keep(b"b", 5), 0).unwrap();
        objects.resolve(&keep(b"b", 7), 0).unwrap();
        assert_eq!(objects.kept_limit_bytes, 16);

        objects.resolve(&meter(b"c", 1), 0).unwrap();
        assert_eq!(objects.kept_limit_bytes, 7);
        objects
            .resolve(&keep(b"d", MAX_KEPT_BYTES as u64), 0)
            .unwrap();

        assert_eq!(limit_of(&objects, b"d"), MAX_KEPT_BYTES);
    }

    fn limit_of(objects: &Objects, name: &[u8]) -> usize {
        match &objects.places[objects.histories[name] as usize].object {
            Object::Kept(kept) => kept.limit_bytes(),
            _ => 0,
        }
    }
}

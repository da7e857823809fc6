//! Native per-packet functions that a decision applies before its action.
//!
//! A stage with state names an object in a bounded table of its service. Decisions only refer to
//! it, so that forgetting a decision resets nothing. A full table forgets its oldest object; what
//! referred to it then misses, and the service's next answer makes it anew.

mod meter;
mod tally;

pub use meter::Meter;
pub use tally::Tally;

use std::collections::{BTreeMap, VecDeque};

use crate::cache::{ServiceIndex, StageRef};
use crate::codec::Stage;
use crate::counters::Reason;

/// The objects of one service.
#[derive(Clone, Debug)]
pub struct Objects {
    service: ServiceIndex,
    limit: usize,
    places: Vec<Place>,
    meters: BTreeMap<Box<[u8]>, u32>,
    tallies: BTreeMap<Box<[u8]>, u32>,
    by_age: VecDeque<u32>,
}

#[derive(Clone, Debug)]
struct Place {
    generation: u32,
    name: Box<[u8]>,
    object: Object,
}

#[derive(Clone, Copy, Debug)]
enum Object {
    Meter(Meter),
    Tally(Tally),
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

    /// The object that `stage` names, made if it is new; a meter takes the stage's rate and burst.
    /// `None` when the table holds no objects at all.
    pub fn resolve(&mut self, stage: &Stage<'_>, now_ns: u64) -> Option<StageRef> {
        let known = match stage {
            Stage::Meter { object, .. } => self.meters.get(*object),
            Stage::Tally { object } => self.tallies.get(*object),
        };
        let number = match known {
            Some(number) => *number,
            None => self.make(stage, now_ns)?,
        };
        let place = self.places.get_mut(number as usize)?;
        if let (
            Object::Meter(meter),
            Stage::Meter {
                rate_bytes_per_s,
                burst_bytes,
                ..
            },
        ) = (&mut place.object, stage)
        {
            meter.change(now_ns, *rate_bytes_per_s, *burst_bytes);
        }
        Some(StageRef {
            service: self.service,
            object: number,
            generation: place.generation,
        })
    }

    /// Whether the object of `stage` is still the one that was resolved.
    pub fn holds(&self, stage: &StageRef) -> bool {
        self.places
            .get(stage.object as usize)
            .is_some_and(|place| place.generation == stage.generation)
    }

    /// Apply one stage to a packet.
    ///
    /// # Errors
    /// `Metered`.
    pub fn apply(
        &mut self,
        stage: &StageRef,
        now_ns: u64,
        payload_bytes: usize,
    ) -> Result<(), Reason> {
        match self.places.get_mut(stage.object as usize) {
            Some(Place {
                object: Object::Meter(meter),
                ..
            }) => meter.take(now_ns, payload_bytes),
            Some(Place {
                object: Object::Tally(tally),
                ..
            }) => {
                tally.add(payload_bytes);
                Ok(())
            }
            None => Ok(()),
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

    fn make(&mut self, stage: &Stage<'_>, now_ns: u64) -> Option<u32> {
        let (name, object) = match *stage {
            Stage::Meter {
                object,
                rate_bytes_per_s,
                burst_bytes,
            } => (
                object,
                Object::Meter(Meter::new(now_ns, rate_bytes_per_s, burst_bytes)),
            ),
            Stage::Tally { object } => (object, Object::Tally(Tally::default())),
        };
        let number = self.free_place(name, object)?;
        match object {
            Object::Meter(_) => self.meters.insert(name.into(), number),
            Object::Tally(_) => self.tallies.insert(name.into(), number),
        };
        self.by_age.push_back(number);
        Some(number)
    }

    /// A new place, or that of the oldest object.
    fn free_place(&mut self, name: &[u8], object: Object) -> Option<u32> {
        if self.places.len() < self.limit {
            self.places.push(Place {
                generation: 0,
                name: name.into(),
                object,
            });
            return Some((self.places.len() - 1) as u32);
        }
        let number = self.by_age.pop_front()?;
        let place = self.places.get_mut(number as usize)?;
        match place.object {
            Object::Meter(_) => self.meters.remove(&place.name),
            Object::Tally(_) => self.tallies.remove(&place.name),
        };
        place.generation = place.generation.wrapping_add(1);
        place.name = name.into();
        place.object = object;
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

    #[test]
    fn two_stages_that_name_an_object_share_it() {
        let mut objects = objects(8);
        let first = objects.resolve(&meter(b"m", 100), 0).unwrap();
        let second = objects.resolve(&meter(b"m", 100), 0).unwrap();

        assert_eq!(objects.apply(&first, 0, 60), Ok(()));

        assert_eq!(objects.apply(&second, 0, 60), Err(Reason::Metered));
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
        objects.apply(&oldest, 0, 10).unwrap();

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

        objects.apply(&stage, 0, 10).unwrap();
        objects.apply(&stage, 0, 5).unwrap();

        assert_eq!(
            objects.read_tally(b"a"),
            Tally {
                packets: 2,
                payload_bytes: 15
            }
        );
    }
}

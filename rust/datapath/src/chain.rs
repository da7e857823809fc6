//! The join of a chain's decisions into one entry: stages in order, earliest deadline, every tag.
//!
//! Joined and unjoined give the same result for every packet; the join only saves lookups.

use crate::cache::{Action, Entry, More, Part};

/// One entry for a walk through several: `parts` are the answers in order, each with the slot of its
/// own key; the last one's action is the chain's. All must be valid at `revision`.
pub fn join(parts: &[(&Entry, u16)], revision: u64) -> Option<Entry> {
    let (last, _) = parts.last()?;
    let expires_ns = parts.iter().map(|(part, _)| part.expires_ns).min()?;
    let stages: Box<[_]> = parts
        .iter()
        .flat_map(|(part, _)| part.stages())
        .copied()
        .collect();
    let mut named = parts.iter().map(|(part, key_slot)| Part {
        key_slot: *key_slot,
        ..part.part
    });
    let mut joined = Entry::new(last.action, named.next()?, expires_ns, revision);
    let rest: Box<[_]> = named.collect();
    let (hops, metadata) = match &last.more {
        Some(more) => (more.hops.clone(), more.metadata.clone()),
        None => Default::default(),
    };
    if !(stages.is_empty() && rest.is_empty() && hops.is_empty()) {
        joined.more = Some(Box::new(More {
            hops,
            metadata,
            stages,
            parts: rest,
        }));
    }
    Some(joined)
}

/// The same for a chain with one guarded hop and the decision of its guards.
pub fn join_guards(mut joined: Entry, guards: &Entry, revision: u64) -> Entry {
    let mut more = joined.more.take().map_or_else(More::default, |more| *more);
    more.stages = more.stages.iter().chain(guards.stages()).copied().collect();
    more.parts = more.parts.iter().chain(guards.parts()).copied().collect();
    match guards.action {
        Action::Pass => {
            for hop in &mut more.hops {
                hop.is_guarded = false;
            }
            if let [hop] = *more.hops
                && hop.changes_nothing()
            {
                joined.action = Action::ForwardOne(hop.peer);
                more.hops = Box::default();
            }
        }
        action => {
            joined.action = action;
            more.hops = Box::default();
            more.metadata = Box::default();
        }
    }
    joined.expires_ns = joined.expires_ns.min(guards.expires_ns);
    joined.revision = revision;
    joined.more = Some(Box::new(more));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Hop, ServiceIndex, StageRef, Task};
    use crate::pipes::PeerIndex;

    fn stage(object: u32) -> StageRef {
        StageRef {
            service: ServiceIndex(0),
            object,
            generation: 0,
            task: Task::Count,
        }
    }

    fn part(service: u16, action: Action, expires_ns: u64, stages: &[StageRef]) -> Entry {
        let part = Part {
            service: ServiceIndex(service),
            tag_slot: service,
            key_slot: Part::OWN,
        };
        let more = More {
            stages: stages.into(),
            ..More::default()
        };
        let mut entry = Entry::new(action, part, expires_ns, 1);
        entry.more = Some(Box::new(more));
        entry
    }

    fn guarded(peer: u32) -> Hop {
        Hop {
            is_guarded: true,
            ..Hop::plain(PeerIndex(peer))
        }
    }

    #[test]
    fn stages_keep_their_order_and_the_earliest_deadline_counts() {
        let first = part(1, Action::Pass, 90, &[stage(1), stage(2)]);
        let last = part(2, Action::ForwardOne(PeerIndex(5)), 70, &[stage(3)]);

        let joined = join(&[(&first, 11), (&last, 12)], 9).unwrap();

        assert_eq!(joined.stages(), [stage(1), stage(2), stage(3)]);
        assert_eq!((joined.expires_ns, joined.revision), (70, 9));
        assert_eq!(joined.action, Action::ForwardOne(PeerIndex(5)));
        let slots: Vec<_> = joined
            .parts()
            .map(|part| (part.tag_slot, part.key_slot))
            .collect();
        assert_eq!(slots, [(1, 11), (2, 12)]);
    }

    #[test]
    fn guards_that_pass_leave_the_hop_as_it_was() {
        let mut chain = part(1, Action::Forward, 90, &[]);
        chain.more = Some(Box::new(More {
            hops: Box::new([guarded(5)]),
            ..More::default()
        }));
        let guards = part(2, Action::Pass, 50, &[stage(4)]);

        let joined = join_guards(chain, &guards, 9);

        assert_eq!(joined.action, Action::ForwardOne(PeerIndex(5)));
        assert_eq!((joined.expires_ns, joined.stages()), (50, &[stage(4)][..]));
        assert_eq!(joined.parts().count(), 2);
    }

    #[test]
    fn a_guard_that_discards_takes_the_hop_away() {
        let mut chain = part(1, Action::Forward, 90, &[]);
        chain.more = Some(Box::new(More {
            hops: Box::new([guarded(5)]),
            ..More::default()
        }));
        let discard = Action::Discard {
            service: ServiceIndex(2),
            reason: 3,
        };

        let joined = join_guards(chain, &part(2, discard, 50, &[]), 9);

        assert_eq!(joined.action, discard);
        assert_eq!(joined.hop_count(), 0);
    }
}

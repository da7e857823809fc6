//! Bundles: numbers that packets name like that of a service, and that stand for a chain of several.
//!
//! ```text
//!   host ─▶ first ─▶ to_nodes ═pipe═▶ later ─▶ to_nodes ═pipe═▶ later ─▶ to_hosts ─▶ guards ─▶ host
//! ```
//! What stands before a pipe runs before the guards of whoever is at its other end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chain, ChainError, MAX_CHAIN, check, renew};
use crate::cache::Question;
use crate::wire::Address;

/// What a packet visits that names a bundle. Empty: the bundle is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// When it comes from a host; the last one sends.
    pub first: Vec<u32>,
    /// When it comes from a node; the last one sends.
    pub later: Vec<u32>,
    /// Then, before a pipe to a node.
    pub to_nodes: Vec<u32>,
    /// Then, before a pipe to a host.
    pub to_hosts: Vec<u32>,
}

impl Expansion {
    fn before_pipe(&self, is_node: bool) -> &[u32] {
        if is_node {
            &self.to_nodes
        } else {
            &self.to_hosts
        }
    }
}

/// All bundles of one datapath, and the chains that follow from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Bundles {
    configured: BTreeMap<u32, Expansion>,
    nodes: BTreeSet<Address>,
    later: BTreeMap<u32, Chain>,
    before_pipes: BTreeMap<(u32, bool), Chain>,
    before_guarded: BTreeMap<(u32, Address), Chain>,
}

impl Bundles {
    /// A bundle is here from now on, or, empty, no more.
    ///
    /// # Errors
    /// A row is too long, or repeats a service; none sends.
    pub(super) fn set(&mut self, number: u32, expansion: Expansion) -> Result<(), ChainError> {
        let Expansion {
            first,
            later,
            to_nodes,
            to_hosts,
        } = &expansion;
        for row in [first, later, to_nodes, to_hosts] {
            check(row)?;
        }
        if expansion == Expansion::default() {
            self.configured.remove(&number);
            return Ok(());
        }
        if first.is_empty() || first.last() != later.last() {
            return Err(ChainError::DoesNotSend { bundle: number });
        }
        self.configured.insert(number, expansion);
        Ok(())
    }

    /// A peer is a node, or not.
    pub(super) fn set_node(&mut self, peer: Address, is_node: bool) -> bool {
        if is_node {
            self.nodes.insert(peer)
        } else {
            self.nodes.remove(&peer)
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// Whether any of them has services before pipes.
    pub(super) fn have_guards(&self) -> bool {
        !self.before_pipes.is_empty()
    }

    /// Number and services of each, as packets from hosts visit them.
    pub(super) fn first(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.configured
            .iter()
            .map(|(number, expansion)| (*number, expansion.first.as_slice()))
    }

    /// What a packet of a node visits that names one of them.
    pub(super) fn later(&self, question: &Question<'_>) -> Option<&Chain> {
        let chain = self.later.get(&question.service)?;
        self.nodes.contains(&question.ingress).then_some(chain)
    }

    /// What a packet visits before a pipe; `None` where it names none of them, or one that has nothing there.
    pub(super) fn before_pipe(&self, service: u32, egress: &Address) -> Option<&Chain> {
        if self.before_pipes.is_empty() {
            return None;
        }
        let is_node = self.nodes.contains(egress);
        self.before_guarded
            .get(&(service, *egress))
            .or_else(|| self.before_pipes.get(&(service, is_node)))
    }

    /// Derive all chains anew, by `chain_of`, which is told whether a row is one service alone; `guards` are
    /// those of the peers.
    pub(super) fn derive(
        &mut self,
        guards: &BTreeMap<Address, Vec<u32>>,
        chain_of: impl Fn(&[u32], bool) -> Chain,
        generation: &mut u32,
    ) {
        let mut later = BTreeMap::new();
        let mut before_pipes = BTreeMap::new();
        let mut before_guarded = BTreeMap::new();
        for (number, expansion) in &self.configured {
            let row = &expansion.later;
            later.insert(*number, chain_of(row, row.len() == 1));
            for is_node in [false, true] {
                let row = expansion.before_pipe(is_node);
                if !row.is_empty() {
                    before_pipes.insert((*number, is_node), chain_of(row, false));
                }
            }
            for (peer, guards) in guards {
                let row = expansion.before_pipe(self.nodes.contains(peer));
                if !row.is_empty() {
                    let joined = joined(row, guards);
                    before_guarded.insert((*number, *peer), chain_of(&joined, false));
                }
            }
        }
        for (number, chain) in &mut later {
            renew(chain, self.later.get(number), generation);
        }
        for (place, chain) in &mut before_pipes {
            renew(chain, self.before_pipes.get(place), generation);
        }
        for (place, chain) in &mut before_guarded {
            renew(chain, self.before_guarded.get(place), generation);
        }
        self.later = later;
        self.before_pipes = before_pipes;
        self.before_guarded = before_guarded;
    }
}

/// A bundle's own services, then the guards that are not among them.
fn joined(row: &[u32], guards: &[u32]) -> Vec<u32> {
    let mut services = Vec::with_capacity(2 * MAX_CHAIN);
    services.extend_from_slice(row);
    services.extend(guards.iter().filter(|guard| !row.contains(guard)));
    services
}

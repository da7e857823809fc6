//! Which services a packet visits, in order: the chain of the service it names, and before the last
//! pipe to a host that host's guards.
//!
//! A service without a configured chain is a chain of itself alone. Packets whose service is not here
//! visit the fallback, if there is one: it knows where to take them. A bundle has a number like that of a
//! service, and is a chain of others.

mod bundles;

pub use bundles::Expansion;

use std::collections::BTreeMap;

use self::bundles::Bundles;
use crate::cache::{Question, ServiceIndex};
use crate::wire::Address;

/// Most services of a chain, and most guards of a host.
pub const MAX_CHAIN: usize = 8;

/// Why a chain is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainError {
    /// More than `MAX_CHAIN` services.
    TooLong {
        /// How many.
        found: usize,
    },
    /// The last one is not the service that packets name.
    DoesNotEndWith {
        /// The service that they name.
        service: u32,
    },
    /// No service sends at the first node, or another one than later.
    DoesNotSend {
        /// The bundle whose chain it is.
        bundle: u32,
    },
    /// A service occurs twice.
    Repeats {
        /// Which.
        service: u32,
    },
}

impl std::fmt::Display for ChainError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong { found } => {
                write!(
                    formatter,
                    "a chain of {found} services exceeds its {MAX_CHAIN}"
                )
            }
            Self::DoesNotEndWith { service } => {
                write!(
                    formatter,
                    "the chain of service {service} does not end with it"
                )
            }
            Self::DoesNotSend { bundle } => {
                write!(
                    formatter,
                    "the chains of bundle {bundle} do not end with one service that sends"
                )
            }
            Self::Repeats { service } => {
                write!(formatter, "service {service} occurs twice in the chain")
            }
        }
    }
}

impl std::error::Error for ChainError {}

/// One service of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub number: u32,
    /// Its place; `None` when it does not run here.
    pub index: Option<ServiceIndex>,
    /// Bytes of metadata that it reads.
    pub match_bytes: u8,
}

/// A chain as packets find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// In the order of visits, 1 to 8.
    pub members: Vec<Member>,
    /// Changes whenever the members do.
    pub generation: u32,
    /// Bytes of metadata that some member reads.
    pub match_bytes: u8,
    /// The named service alone, no receiver's guard: its own answer is the chain's.
    pub is_simple: bool,
    /// Some member reads payloads: only over COVERED pipes.
    pub reads_payload: bool,
}

impl Chain {
    /// Where in the chain the service is.
    pub fn position(&self, service: ServiceIndex) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.index == Some(service))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    index: ServiceIndex,
    match_bytes: u8,
    reads_payload: bool,
}

/// Configuration of services, chains and guards, and the chains that follow from it.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    running: BTreeMap<u32, Running>,
    configured: BTreeMap<u32, Vec<u32>>,
    guards: BTreeMap<Address, Vec<u32>>,
    fallback: Option<u32>,
    fallback_chain: Option<Chain>,
    chains: BTreeMap<u32, Chain>,
    guard_chains: BTreeMap<Address, Chain>,
    bundles: Bundles,
    generation: u32,
}

impl Routes {
    /// A service runs here from now on.
    pub fn add_service(
        &mut self,
        number: u32,
        index: ServiceIndex,
        match_bytes: u8,
        reads_payload: bool,
    ) {
        self.running.insert(
            number,
            Running {
                index,
                match_bytes,
                reads_payload,
            },
        );
        self.derive();
    }

    /// A service runs here no more.
    pub fn remove_service(&mut self, number: u32) {
        self.running.remove(&number);
        self.derive();
    }

    /// Services that a packet naming `service` visits; empty means that one alone.
    ///
    /// # Errors
    /// Too long, not ending with `service`, or repeating one.
    pub fn set_chain(&mut self, service: u32, services: &[u32]) -> Result<(), ChainError> {
        check(services)?;
        match services.last() {
            None => self.configured.remove(&service),
            Some(last) if *last == service => self.configured.insert(service, services.to_vec()),
            Some(_) => return Err(ChainError::DoesNotEndWith { service }),
        };
        self.derive();
        Ok(())
    }

    /// What packets visit that name the bundle `number`; empty takes it away.
    ///
    /// # Errors
    /// A row is too long, or repeats a service; no service sends.
    pub fn set_bundle(&mut self, number: u32, expansion: Expansion) -> Result<(), ChainError> {
        self.bundles.set(number, expansion)?;
        self.derive();
        Ok(())
    }

    /// A peer is a node, or it is none, or gone.
    pub fn set_node(&mut self, peer: Address, is_node: bool) {
        let is_changed = self.bundles.set_node(peer, is_node);
        if is_changed && !self.bundles.is_empty() && self.guards.contains_key(&peer) {
            self.derive();
        }
    }

    /// The service that packets visit whose service is not here.
    pub fn set_fallback(&mut self, service: Option<u32>) {
        self.fallback = service;
        self.derive();
    }

    /// Services that run before the last pipe to `host`; empty means none.
    ///
    /// # Errors
    /// Too long, or repeating one.
    pub fn set_guards(&mut self, host: Address, services: &[u32]) -> Result<(), ChainError> {
        check(services)?;
        if services.is_empty() {
            self.guards.remove(&host);
        } else {
            self.guards.insert(host, services.to_vec());
        }
        self.derive();
        Ok(())
    }

    /// The place of a running service.
    pub fn index(&self, number: u32) -> Option<ServiceIndex> {
        self.running.get(&number).map(|running| running.index)
    }

    /// The chain that a packet goes through: that of the service it names, or the guards of the hop
    /// that was chosen for it.
    #[inline]
    pub fn chain(&self, question: &Question<'_>) -> Option<&Chain> {
        match &question.egress {
            None if self.bundles.is_empty() => self.own(question),
            None => self.bundles.later(question).or_else(|| self.own(question)),
            Some(egress) => self.before_pipe(question.service, egress),
        }
    }

    /// Whether services run here on a packet that names `service` before the pipe to `peer`.
    pub fn is_guarded(&self, service: u32, peer: &Address) -> bool {
        self.before_pipe(service, peer).is_some()
    }

    /// Whether any peer has guards here, for any packet.
    pub fn has_guards(&self) -> bool {
        !self.guard_chains.is_empty() || self.bundles.have_guards()
    }

    #[inline]
    fn own(&self, question: &Question<'_>) -> Option<&Chain> {
        self.chains
            .get(&question.service)
            .or(self.fallback_chain.as_ref())
    }

    fn before_pipe(&self, service: u32, peer: &Address) -> Option<&Chain> {
        self.bundles
            .before_pipe(service, peer)
            .or_else(|| self.guard_chains.get(peer))
    }

    /// Derive all chains anew. One whose members did not change keeps its generation, and with it
    /// its decisions.
    fn derive(&mut self) {
        let named = self.running.keys().chain(self.configured.keys()).copied();
        let mut chains = BTreeMap::new();
        for number in named {
            let alone = [number];
            let services = self
                .configured
                .get(&number)
                .map_or(&alone[..], Vec::as_slice);
            let chain = self.chain_of(services, services.len() == 1);
            chains.insert(number, chain);
        }
        for (number, services) in self.bundles.first() {
            let chain = self.chain_of(services, services.len() == 1);
            chains.insert(number, chain);
        }
        let mut guard_chains = BTreeMap::new();
        for (host, services) in &self.guards {
            guard_chains.insert(*host, self.chain_of(services, false));
        }
        let mut fallback_chain = self
            .fallback
            .filter(|number| self.running.contains_key(number))
            .map(|number| self.chain_of(&[number], true));
        let mut generation = self.generation;
        if let Some(chain) = &mut fallback_chain {
            renew(chain, self.fallback_chain.as_ref(), &mut generation);
        }
        for (number, chain) in &mut chains {
            renew(chain, self.chains.get(number), &mut generation);
        }
        for (host, chain) in &mut guard_chains {
            renew(chain, self.guard_chains.get(host), &mut generation);
        }
        let mut bundles = std::mem::take(&mut self.bundles);
        let chain_of = |services: &[u32], is_simple| self.chain_of(services, is_simple);
        bundles.derive(&self.guards, chain_of, &mut generation);
        self.bundles = bundles;
        self.generation = generation;
        self.chains = chains;
        self.fallback_chain = fallback_chain;
        self.guard_chains = guard_chains;
    }

    fn chain_of(&self, services: &[u32], is_simple: bool) -> Chain {
        let members: Vec<_> = services
            .iter()
            .map(|number| {
                let running = self.running.get(number);
                Member {
                    number: *number,
                    index: running.map(|running| running.index),
                    match_bytes: running.map_or(0, |running| running.match_bytes),
                }
            })
            .collect();
        let reads_payload = services.iter().any(|number| {
            self.running
                .get(number)
                .is_some_and(|running| running.reads_payload)
        });
        let match_bytes = members
            .iter()
            .map(|member| member.match_bytes)
            .max()
            .unwrap_or(0);
        Chain {
            members,
            generation: 0,
            match_bytes,
            is_simple,
            reads_payload,
        }
    }
}

fn check(services: &[u32]) -> Result<(), ChainError> {
    if services.len() > MAX_CHAIN {
        return Err(ChainError::TooLong {
            found: services.len(),
        });
    }
    let mut seen = services.to_vec();
    seen.sort_unstable();
    match seen.windows(2).find(|pair| pair.first() == pair.last()) {
        Some(pair) => Err(ChainError::Repeats {
            service: pair.first().copied().unwrap_or(0),
        }),
        None => Ok(()),
    }
}

fn renew(chain: &mut Chain, before: Option<&Chain>, generation: &mut u32) {
    match before {
        Some(before) if before.members == chain.members => chain.generation = before.generation,
        _ => {
            *generation = generation.wrapping_add(1);
            chain.generation = *generation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Address = Address([7; 16]);

    fn routes() -> Routes {
        let mut routes = Routes::default();
        for (place, number) in [16, 20, 21].into_iter().enumerate() {
            routes.add_service(number, ServiceIndex(place as u16), 255, number == 21);
        }
        routes
    }

    fn question(service: u32, egress: Option<Address>) -> Question<'static> {
        let none = Address([0; 16]);
        Question {
            service,
            ingress: none,
            source: none,
            connection: 0,
            metadata: b"",
            egress,
        }
    }

    fn numbers(chain: Option<&Chain>) -> Vec<u32> {
        chain.map_or(Vec::new(), |chain| {
            chain.members.iter().map(|one| one.number).collect()
        })
    }

    #[test]
    fn a_service_without_a_chain_is_its_own() {
        let routes = routes();

        let chain = routes.chain(&question(16, None)).unwrap();

        assert_eq!(numbers(Some(chain)), [16]);
        assert!(chain.is_simple && !chain.reads_payload);
        assert_eq!(routes.chain(&question(99, None)), None);
    }

    #[test]
    fn a_chain_and_the_guards_of_a_host_are_apart() {
        let mut routes = routes();
        routes.set_chain(16, &[20, 16]).unwrap();
        routes.set_guards(HOST, &[21]).unwrap();

        assert_eq!(numbers(routes.chain(&question(16, None))), [20, 16]);
        assert_eq!(numbers(routes.chain(&question(16, Some(HOST)))), [21]);
        assert!(routes.is_guarded(16, &HOST) && routes.has_guards());
    }

    #[test]
    fn only_a_changed_chain_gets_a_new_generation() {
        let mut routes = routes();
        let generation = |routes: &Routes, service| {
            routes
                .chain(&question(service, None))
                .map(|chain| chain.generation)
        };
        let (of_16, of_20) = (generation(&routes, 16), generation(&routes, 20));

        routes.set_chain(16, &[20, 16]).unwrap();

        assert_ne!(generation(&routes, 16), of_16);
        assert_eq!(generation(&routes, 20), of_20);
        routes.set_chain(16, &[]).unwrap();
        assert_ne!(
            generation(&routes, 16),
            of_16,
            "what was cached before is not believed again"
        );
    }

    fn bundled() -> Routes {
        let mut routes = routes();
        let expansion = Expansion {
            first: vec![20, 16],
            later: vec![16],
            to_nodes: vec![20],
            to_hosts: vec![21],
        };
        routes.set_bundle(112, expansion).unwrap();
        routes
    }

    #[test]
    fn a_bundle_is_another_chain_at_the_first_node_than_later() {
        let mut routes = bundled();
        assert_eq!(numbers(routes.chain(&question(112, None))), [20, 16]);

        routes.set_node(Address([0; 16]), true);

        assert_eq!(numbers(routes.chain(&question(112, None))), [16]);
        assert_eq!(numbers(routes.chain(&question(16, None))), [16]);
    }

    #[test]
    fn a_bundle_has_its_own_services_before_pipes_and_then_the_guards() {
        let mut routes = bundled();
        routes.set_guards(HOST, &[16, 21]).unwrap();
        let node = Address([8; 16]);
        routes.set_node(node, true);

        let before = |service, egress| numbers(routes.chain(&question(service, Some(egress))));

        assert_eq!(before(112, HOST), [21, 16]);
        assert_eq!(before(112, node), [20]);
        assert_eq!(before(112, Address([9; 16])), [21]);
        assert_eq!(before(16, HOST), [16, 21]);
        assert!(routes.is_guarded(112, &node) && !routes.is_guarded(16, &node));
    }

    #[test]
    fn a_guarded_peer_that_turns_out_to_be_a_node_has_what_stands_before_nodes() {
        let mut routes = bundled();
        routes.set_guards(HOST, &[16]).unwrap();

        routes.set_node(HOST, true);

        assert_eq!(numbers(routes.chain(&question(112, Some(HOST)))), [20, 16]);
    }

    #[test]
    fn a_bundle_goes_as_it_came() {
        let mut routes = bundled();
        assert!(routes.has_guards());

        routes.set_bundle(112, Expansion::default()).unwrap();

        assert!(!routes.has_guards());
        assert_eq!(routes.chain(&question(112, None)), None);
    }

    #[test]
    fn a_bundle_that_nobody_sends_is_refused() {
        let expansion = Expansion {
            first: vec![20, 16],
            later: vec![20],
            ..Expansion::default()
        };

        assert_eq!(
            routes().set_bundle(112, expansion),
            Err(ChainError::DoesNotSend { bundle: 112 })
        );
    }

    #[test]
    fn a_bad_chain_is_refused_by_name() {
        let mut routes = routes();

        assert_eq!(
            routes.set_chain(16, &[0; 9]),
            Err(ChainError::TooLong { found: 9 })
        );
        assert_eq!(
            routes.set_chain(16, &[16, 20]),
            Err(ChainError::DoesNotEndWith { service: 16 })
        );
        assert_eq!(
            routes.set_guards(HOST, &[20, 20]),
            Err(ChainError::Repeats { service: 20 })
        );
    }
}

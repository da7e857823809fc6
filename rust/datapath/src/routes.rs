//! Which services a packet visits, in order: the chain of the service it names, and before the last
//! pipe to a host that host's guards.
//!
//! A service without a configured chain is a chain of itself alone. Packets whose service is not here
//! visit the fallback, if there is one: it knows where to take them.

use std::collections::BTreeMap;

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
            None => self
                .chains
                .get(&question.service)
                .or(self.fallback_chain.as_ref()),
            Some(egress) => self.guard_chains.get(egress),
        }
    }

    /// Whether `host` has guards here.
    pub fn is_guarded(&self, host: &Address) -> bool {
        self.guard_chains.contains_key(host)
    }

    /// Whether any host has guards here.
    pub fn has_guards(&self) -> bool {
        !self.guard_chains.is_empty()
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
        assert!(routes.is_guarded(&HOST) && routes.has_guards());
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

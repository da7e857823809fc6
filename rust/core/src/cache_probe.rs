//! `DecisionCache`: the decisions of a datapath without pipes and queues, to be compared with the model in
//! `ei/testing/model.py`.

use std::collections::BTreeMap;

use ei_datapath::cache::{Question, ServiceIndex};
use ei_datapath::codec::{self, Effect, EffectBatch};
use ei_datapath::decide::{
    Decisions, HopOutcome, InstallError, NewAction, NewDecision, NewHop, Outcome,
};
use ei_datapath::pipes::PeerIndex;
use ei_datapath::wire::Address;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::arguments::{self, address, exactly};

/// See `_core.pyi`.
#[pyclass(module = "ei._core")]
pub(crate) struct DecisionCache {
    decisions: Decisions,
    /// Number and reasons of each service, by its place.
    services: Vec<(u32, Vec<String>)>,
    peers: Vec<Address>,
    places: BTreeMap<Address, PeerIndex>,
}

#[pymethods]
impl DecisionCache {
    #[new]
    #[pyo3(signature = (*, entries, secret))]
    fn new(entries: usize, secret: &[u8]) -> PyResult<Self> {
        Ok(Self {
            decisions: Decisions::new(entries, exactly("secret", secret)?),
            services: Vec::new(),
            peers: Vec::new(),
            places: BTreeMap::new(),
        })
    }

    #[pyo3(signature = (number, *, match_metadata=None, reads_payload=false, max_objects=65_536,
        drop_reasons=Vec::new()))]
    fn add_service(
        &mut self,
        number: u32,
        match_metadata: Option<u8>,
        reads_payload: bool,
        max_objects: usize,
        drop_reasons: Vec<String>,
    ) {
        let index = ServiceIndex(self.services.len() as u16);
        let match_bytes = match_metadata.unwrap_or(u8::MAX);
        self.services.push((number, drop_reasons));
        self.decisions.reset_service(index, max_objects);
        self.decisions
            .routes
            .add_service(number, index, match_bytes, reads_payload);
    }

    fn set_chain(&mut self, service: u32, services: Vec<u32>) -> PyResult<()> {
        self.decisions
            .routes
            .set_chain(service, &services)
            .map_err(to_value_error)
    }

    fn set_guards(&mut self, host: &[u8], services: Vec<u32>) -> PyResult<()> {
        let host = address(host)?;
        self.decisions
            .routes
            .set_guards(host, &services)
            .map_err(to_value_error)?;
        let peer = self.peer(host);
        self.decisions.revoke_peer(peer);
        Ok(())
    }

    fn lose_peer(&mut self, peer: &[u8]) -> PyResult<()> {
        let peer = self.peer(address(peer)?);
        self.decisions.revoke_peer(peer);
        Ok(())
    }

    fn revoke(&mut self, service: u32, tag: &[u8]) -> PyResult<()> {
        let index = self.index(service)?;
        self.decisions.revoke(index, tag);
        Ok(())
    }

    /// Install every decision of the first answer of an `EffectBatch`; "installed", "stale" or "refused".
    fn install(&mut self, now_ns: u64, service: u32, batch: &[u8]) -> PyResult<Vec<&'static str>> {
        let batch = EffectBatch::decode(batch).map_err(to_value_error)?;
        let index = self.index(service)?;
        let effects = batch.answers.iter().flat_map(|answer| &answer.effects);
        let decisions = effects.filter_map(|effect| match effect {
            Effect::Install(decision) => Some(decision),
            _ => None,
        });
        decisions
            .map(|asked| self.install_one(now_ns, index, batch.epoch, asked))
            .collect()
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of a packet")]
    fn decide<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        service: u32,
        ingress: &[u8],
        source: &[u8],
        connection: u64,
        metadata: &[u8],
        egress: &[u8],
        is_covered: bool,
        payload_bytes: usize,
        position: usize,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let question = Question {
            service,
            ingress: address(ingress)?,
            source: address(source)?,
            connection,
            metadata,
            egress: if egress.is_empty() {
                None
            } else {
                Some(address(egress)?)
            },
        };
        let outcome = self.decisions.outcome(
            now_ns,
            &question,
            position,
            is_covered,
            &vec![0; payload_bytes],
        );
        self.outcome_object(py, &outcome)
    }

    fn read_tally(&self, service: u32, object: &[u8]) -> PyResult<(u64, u64)> {
        let objects = self.decisions.objects(self.index(service)?);
        let tally = objects
            .map(|objects| objects.read_tally(object))
            .unwrap_or_default();
        Ok((tally.packets, tally.payload_bytes))
    }

    fn tag_slot(&self, tag: &[u8]) -> u16 {
        self.decisions.tag_slot(tag)
    }

    #[expect(clippy::too_many_arguments, reason = "they are the fields of a key")]
    fn key_slot(
        &self,
        service: u32,
        named: u32,
        ingress: &[u8],
        source: &[u8],
        connection: u64,
        metadata: &[u8],
        egress: &[u8],
    ) -> PyResult<u16> {
        let question = Question {
            service: named,
            ingress: address(ingress)?,
            source: address(source)?,
            connection,
            metadata,
            egress: if egress.is_empty() {
                None
            } else {
                Some(address(egress)?)
            },
        };
        Ok(self.decisions.key_slot(service, &question, u8::MAX))
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.decisions.epoch()
    }

    fn __len__(&self) -> usize {
        self.decisions.cache().len()
    }
}

impl DecisionCache {
    fn index(&self, service: u32) -> PyResult<ServiceIndex> {
        let place = self
            .services
            .iter()
            .position(|(number, _)| *number == service);
        place
            .map(|place| ServiceIndex(place as u16))
            .ok_or_else(|| PyValueError::new_err(format!("no service {service} was added")))
    }

    /// The place of a peer, in the order in which they are first named.
    fn peer(&mut self, address: Address) -> PeerIndex {
        let Self { peers, places, .. } = self;
        *places.entry(address).or_insert_with(|| {
            peers.push(address);
            PeerIndex((peers.len() - 1) as u32)
        })
    }

    fn install_one(
        &mut self,
        now_ns: u64,
        service: ServiceIndex,
        epoch: u64,
        asked: &codec::Decision<'_>,
    ) -> PyResult<&'static str> {
        let key = &asked.key;
        let own = self
            .services
            .get(usize::from(service.0))
            .cloned()
            .unwrap_or_default();
        let number = if key.service == 0 {
            u64::from(own.0)
        } else {
            key.service
        };
        let action = match &asked.action {
            codec::Action::Pass => NewAction::Pass,
            codec::Action::Discard(word) => {
                let reason = own.1.iter().position(|known| known == word);
                let Some(reason) = reason else {
                    return Ok("refused");
                };
                NewAction::Discard(reason as u16)
            }
            codec::Action::Forward(hops) => {
                let hops: PyResult<Vec<_>> = hops
                    .iter()
                    .map(|hop| {
                        let address = address(hop.to)?;
                        Ok(NewHop {
                            peer: self.peer(address),
                            address,
                            metadata: hop.metadata,
                            connection: hop.connection,
                            source: hop.source.map(arguments::address).transpose()?,
                        })
                    })
                    .collect();
                NewAction::Forward(hops?)
            }
        };
        let new = NewDecision {
            service,
            question: Question {
                service: u32::try_from(number).map_err(to_value_error)?,
                ingress: address(key.ingress)?,
                source: address(key.source)?,
                connection: key.connection,
                metadata: key.metadata,
                egress: if key.egress.is_empty() {
                    None
                } else {
                    Some(address(key.egress)?)
                },
            },
            action,
            ttl_ns: (asked.ttl_s * 1e9).ceil() as u64,
            tag: asked.tag,
            stages: &asked.stages.stages,
            epoch,
        };
        Ok(match self.decisions.install(now_ns, &new) {
            Ok(()) => "installed",
            Err(InstallError::Stale) => "stale",
            Err(
                InstallError::NotInChain | InstallError::GuardForwards | InstallError::NoObjects,
            ) => "refused",
        })
    }

    fn outcome_object<'py>(
        &self,
        py: Python<'py>,
        outcome: &Outcome,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let number = |service: &ServiceIndex| {
            self.services
                .get(usize::from(service.0))
                .map_or(0, |(number, _)| *number)
        };
        match outcome {
            Outcome::Forwarded(hops) => {
                let hops: PyResult<Vec<_>> =
                    hops.iter().map(|hop| self.hop_object(py, hop)).collect();
                ("forwarded", PyList::new(py, hops?)?).into_pyobject(py)
            }
            Outcome::Passed => ("passed",).into_pyobject(py),
            Outcome::Discarded { service, reason } => {
                let own = self.services.get(usize::from(service.0));
                let word = own.and_then(|(_, words)| words.get(usize::from(*reason)));
                ("discarded", number(service), word).into_pyobject(py)
            }
            Outcome::Missing { position, service } => {
                ("missing", *position, number(service)).into_pyobject(py)
            }
            Outcome::Dropped(reason) => ("dropped", reason.word()).into_pyobject(py),
        }
    }

    fn hop_object<'py>(&self, py: Python<'py>, hop: &HopOutcome) -> PyResult<Bound<'py, PyTuple>> {
        let to = self
            .peers
            .get(hop.peer.0 as usize)
            .copied()
            .unwrap_or_default();
        let metadata = hop
            .metadata
            .as_ref()
            .map(|metadata| PyBytes::new(py, metadata));
        let guards = hop
            .guards
            .as_ref()
            .map(|guards| self.outcome_object(py, guards));
        (
            PyBytes::new(py, &to.0),
            hop.connection,
            metadata,
            hop.source.map(|source| PyBytes::new(py, &source.0)),
            guards.transpose()?,
        )
            .into_pyobject(py)
    }
}

fn to_value_error(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

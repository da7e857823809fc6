//! `EndToEnd`: a host's sessions with other hosts.

use std::collections::HashMap;

use ei_datapath::endtoend::{EndToEnd as Sessions, Outgoing};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::exactly;
use crate::objects::refused;

type Payload<'py> = Bound<'py, PyBytes>;

/// What it was sealed with besides its bytes, and the payload.
type Bundled<'py> = (Payload<'py>, Payload<'py>);

fn bundled<'py>(py: Python<'py>, outgoing: &Outgoing) -> Bundled<'py> {
    (
        PyBytes::new(py, &outgoing.associated),
        PyBytes::new(py, &outgoing.payload),
    )
}

/// Sessions between hosts, inside the payloads of datagrams (sans-IO).
#[pyclass(module = "ei._core")]
pub(crate) struct EndToEnd {
    sessions: Sessions,
}

#[pymethods]
impl EndToEnd {
    #[new]
    #[pyo3(signature = (private_key, *, seed=None, unix_offset_ns=0))]
    fn new(private_key: &[u8], seed: Option<&[u8]>, unix_offset_ns: i64) -> PyResult<Self> {
        let private_key = exactly("private_key", private_key)?;
        let seed = seed.map(|seed| exactly("seed", seed)).transpose()?;
        Ok(Self {
            sessions: Sessions::new(private_key, seed, unix_offset_ns),
        })
    }

    fn seal<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        peer_key: &[u8],
        associated: &[u8],
        datagram: &[u8],
    ) -> PyResult<Vec<Bundled<'py>>> {
        let peer_key = exactly("peer_key", peer_key)?;
        let outgoing = self
            .sessions
            .seal(now_ns, &peer_key, associated, datagram)
            .map_err(refused)?;
        Ok(outgoing
            .iter()
            .map(|outgoing| bundled(py, outgoing))
            .collect())
    }

    fn open<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
        peer_key: &[u8],
        associated: &[u8],
        payload: &[u8],
    ) -> PyResult<(Option<Payload<'py>>, Vec<Bundled<'py>>)> {
        let peer_key = exactly("peer_key", peer_key)?;
        let opened = self
            .sessions
            .open(now_ns, &peer_key, associated, payload)
            .map_err(refused)?;
        let datagram = opened.datagram.map(|datagram| PyBytes::new(py, &datagram));
        let outgoing = opened.outgoing.iter();
        Ok((
            datagram,
            outgoing.map(|outgoing| bundled(py, outgoing)).collect(),
        ))
    }

    fn poll<'py>(
        &mut self,
        py: Python<'py>,
        now_ns: u64,
    ) -> Vec<(Payload<'py>, Payload<'py>, Payload<'py>)> {
        self.sessions.poll(now_ns);
        let due = std::iter::from_fn(|| self.sessions.take_outgoing());
        due.map(|(peer_key, outgoing)| {
            let (associated, payload) = bundled(py, &outgoing);
            (PyBytes::new(py, &peer_key), associated, payload)
        })
        .collect()
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        self.sessions.next_deadline_ns()
    }

    fn forget(&mut self, peer_key: &[u8]) -> PyResult<()> {
        self.sessions.forget(&exactly("peer_key", peer_key)?);
        Ok(())
    }

    fn statistics(&self) -> HashMap<&'static str, u64> {
        let statistics = self.sessions.statistics();
        HashMap::from([
            ("peers", statistics.peers as u64),
            ("waiting", statistics.waiting as u64),
            ("sealed", statistics.sealed),
            ("opened", statistics.opened),
            ("expired", statistics.expired),
            ("handshakes", statistics.handshakes),
        ])
    }
}

//! Packets sealed beforehand, to be sent faster than a node can open and seal them again.
//!
//! Sealing costs about as much as what the node does, so that a generator that seals while it sends
//! never saturates a node with a core as good as its own.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use ei_datapath::forward::{Datapath as Pure, OutgoingPacket};
use ei_datapath::wire::Prefix;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arguments;
use crate::clock::monotonic_ns;
use crate::datapath::{Datapath, protection_of};
use crate::objects::refused;
use crate::socket::Socket;

/// As many as a train holds, so that each connection's packets leave together.
const TRAIN_PACKETS: usize = 64;

/// Between two trains of a salvo at an offered rate, at least.
const PAUSE: Duration = Duration::from_micros(20);

/// Sealed packets of one host, each good for one sending.
#[pyclass(module = "ei._core")]
pub(crate) struct Salvo {
    trains: std::vec::IntoIter<SealedTrain>,
    /// What follows the sealed part in all of them.
    payload: Vec<u8>,
}

/// One send call: the sealed heads of its packets; the payload is the same in all.
struct SealedTrain {
    to: SocketAddr,
    heads: Vec<u8>,
    head_bytes: usize,
    segment_bytes: usize,
}

#[pymethods]
impl Salvo {
    #[new]
    #[pyo3(signature = (datapath, packets, *, peer, service, connection, connections, metadata,
        payload_bytes, protection, is_covered=false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the keyword arguments of Python"
    )]
    fn new(
        py: Python<'_>,
        datapath: &mut Datapath,
        packets: usize,
        peer: &[u8],
        service: u32,
        connection: u64,
        connections: u64,
        metadata: &[u8],
        payload_bytes: usize,
        protection: u8,
        is_covered: bool,
    ) -> PyResult<Self> {
        let payload = vec![0; payload_bytes];
        let packet = OutgoingPacket {
            peer: arguments::address(peer)?,
            service,
            connection,
            metadata,
            payload: &payload,
            protection: protection_of(protection)?,
            is_covered,
            class: 0,
            is_traced: false,
        };
        let datapath = datapath.pure();
        let trains = py.detach(|| seal(datapath, packets, connections.max(1), &packet))?;
        let payload = if is_covered { Vec::new() } else { payload };
        Ok(Self {
            trains: trains.into_iter(),
            payload,
        })
    }

    /// Send for `seconds`, or until all are sent.
    #[pyo3(signature = (socket, *, seconds, packets_per_s=0.0))]
    fn send(
        &mut self,
        py: Python<'_>,
        socket: &mut Socket,
        seconds: f64,
        packets_per_s: f64,
    ) -> PyResult<usize> {
        if !(0.0..=3_600.0).contains(&seconds) || !(0.0..=1e9).contains(&packets_per_s) {
            return Err(PyValueError::new_err(format!(
                "seconds of {seconds} or packets_per_s of {packets_per_s} is out of range"
            )));
        }
        let (udp, _) = socket.parts()?;
        Ok(py.detach(|| {
            let begun_ns = monotonic_ns();
            let ends_ns = begun_ns + (seconds * 1e9) as u64;
            let mut sent = 0;
            loop {
                let now_ns = monotonic_ns();
                if now_ns >= ends_ns {
                    return sent;
                }
                let elapsed_s = (now_ns - begun_ns) as f64 / 1e9;
                if packets_per_s > 0.0 && sent as f64 > packets_per_s * elapsed_s {
                    sleep(PAUSE);
                    continue;
                }
                let Some(train) = self.trains.next() else {
                    return sent;
                };
                let heads = train.heads.chunks(train.head_bytes);
                sent += udp.send_joined(train.to, heads, &self.payload, train.segment_bytes);
            }
        }))
    }

    fn __len__(&self) -> usize {
        let trains = self.trains.as_slice().iter();
        trains
            .map(|train| train.heads.len() / train.head_bytes)
            .sum()
    }
}

fn seal(
    datapath: &mut Pure,
    packets: usize,
    connections: u64,
    packet: &OutgoingPacket<'_>,
) -> PyResult<Vec<SealedTrain>> {
    let mut trains = Vec::with_capacity(packets.div_ceil(TRAIN_PACKETS));
    let mut left = packets;
    for round in 0.. {
        let wanted = left.min(TRAIN_PACKETS);
        let packet = OutgoingPacket {
            connection: packet.connection.wrapping_add(round % connections),
            ..*packet
        };
        for _ in 0..wanted {
            datapath.send(monotonic_ns(), &packet).map_err(refused)?;
        }
        while let Some(train) = datapath.next_train() {
            trains.extend(sealed_heads(
                train.to,
                train.bytes,
                train.segment_bytes,
                &packet,
            ));
        }
        left -= wanted;
        if left == 0 {
            break;
        }
    }
    Ok(trains)
}

/// What differs from packet to packet; `None` for what is not of the salvo (heartbeats: sent again).
fn sealed_heads(
    to: SocketAddr,
    bytes: &[u8],
    segment_bytes: usize,
    packet: &OutgoingPacket<'_>,
) -> Option<SealedTrain> {
    let prefix = Prefix::parse(bytes.get(..segment_bytes.min(bytes.len()))?).ok()?;
    let head_bytes = Prefix::BYTES + usize::from(prefix.sealed_bytes);
    let payload_bytes = if packet.is_covered {
        0
    } else {
        packet.payload.len()
    };
    if head_bytes + payload_bytes != segment_bytes {
        return None;
    }
    let mut heads = Vec::with_capacity(bytes.len() / segment_bytes * head_bytes);
    for datagram in bytes.chunks(segment_bytes) {
        heads.extend_from_slice(datagram.get(..head_bytes)?);
    }
    Some(SealedTrain {
        to,
        heads,
        head_bytes,
        segment_bytes,
    })
}

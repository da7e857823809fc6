//! One link: two sockets, and a model for each direction.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use ei_links::Link as Model;

use crate::io::{Receiver, UdpSocket};
use crate::lock::lock;

/// A copy on its way: when it is due, from which side it leaves, and what it says.
pub(super) struct Due {
    pub(super) at_ns: u64,
    pub(super) leaves_from: usize,
    pub(super) bytes: Vec<u8>,
}

/// One end of a link: the socket that stands in for the far peer.
pub(super) struct Side {
    socket: UdpSocket,
    peer: SocketAddr,
    is_learning: bool,
    /// Of datagrams that this side's peer sends.
    model: Arc<Mutex<Model>>,
}

impl Side {
    /// `peer` with port 0 is learned from the newest datagram.
    pub(super) fn new(socket: UdpSocket, peer: SocketAddr, model: Arc<Mutex<Model>>) -> Self {
        Self {
            socket,
            is_learning: peer.port() == 0,
            peer,
            model,
        }
    }

    pub(super) fn endpoint(&self) -> SocketAddr {
        self.socket.endpoint()
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.socket)
    }
}

/// Both directions of one link.
pub(super) struct Relay {
    sides: [Side; 2],
    unsent: u64,
}

impl Relay {
    pub(super) fn new(sides: [Side; 2]) -> Self {
        Self { sides, unsent: 0 }
    }

    /// The endpoint of its first side.
    pub(super) fn name(&self) -> SocketAddr {
        let [first, _] = &self.sides;
        first.endpoint()
    }

    /// The models, forward first.
    pub(super) fn models(&self) -> impl Iterator<Item = &Arc<Mutex<Model>>> {
        self.sides.iter().map(|side| &side.model)
    }

    /// Copies that were due when their peer was not known, or that the system did not take.
    pub(super) fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Datagrams from now on go by other models.
    pub(super) fn impair(&mut self, forward: Arc<Mutex<Model>>, backward: Arc<Mutex<Model>>) {
        let [first, second] = &mut self.sides;
        first.model = forward;
        second.model = backward;
    }

    /// Take what waits at a side; `offer` gets each copy that will arrive.
    pub(super) fn receive(
        &mut self,
        now_ns: u64,
        arrived_at: usize,
        receiver: &mut Receiver,
        mut offer: impl FnMut(Due),
    ) -> std::io::Result<usize> {
        let Some(side) = self.sides.get_mut(arrived_at) else {
            return Ok(0);
        };
        let trains = receiver.receive(&side.socket)?;
        let mut model = lock(&side.model);
        for (from, datagram) in receiver.datagrams() {
            if side.is_learning {
                side.peer = from;
            }
            for arrival in model.offer(now_ns, datagram.len()).into_iter().flatten() {
                let mut bytes = datagram.to_vec();
                arrival.apply(&mut bytes);
                offer(Due {
                    at_ns: arrival.at_ns,
                    leaves_from: 1 - arrived_at,
                    bytes,
                });
            }
        }
        Ok(trains)
    }

    /// Hand a copy to the peer of a side.
    pub(super) fn send(&mut self, leaves_from: usize, bytes: &[u8]) {
        let sent = match self.sides.get(leaves_from) {
            Some(side) if side.peer.port() != 0 => side.socket.send(side.peer, bytes, bytes.len()),
            _ => 0,
        };
        self.unsent += u64::from(sent == 0);
    }
}

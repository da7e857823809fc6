//! A peer that writes its own headers: what an honest host never sends.

use std::net::SocketAddr;

use ei_datapath::forward::Datapath;
use ei_datapath::handshake::public_key;
use ei_datapath::pipes::{PeerIndex, PeerKind, Pipes, PipesConfig};
use ei_datapath::wire::{Address, DatagramType, Header};

pub struct RawPeer {
    pipes: Pipes,
    pub address: Address,
    pub endpoint: SocketAddr,
}

impl RawPeer {
    /// A peer of `node` (whose key and address are given), its pipe open.
    pub fn connected(
        kind: PeerKind,
        node: &mut Datapath,
        node_address: Address,
        node_key: [u8; 32],
    ) -> Self {
        Self::one_of_many(0, kind, node, node_address, node_key)
    }

    /// The same for one of several.
    pub fn one_of_many(
        number: u8,
        kind: PeerKind,
        node: &mut Datapath,
        node_address: Address,
        node_key: [u8; 32],
    ) -> Self {
        let address = Address([0xaa + number; 16]);
        let endpoint = SocketAddr::from(([127, 9, 9, 9 + number], 3535));
        let key = [0x77 + number; 32];
        let mut pipes = Pipes::new(PipesConfig::new(key, address, kind));
        let to_node = SocketAddr::from(([127, 9, 9, 1], 3535));
        pipes
            .add_peer(node_address, node_key, PeerKind::Node, Some(to_node))
            .unwrap();
        node.add_peer(address, public_key(&key), kind, Some(endpoint))
            .unwrap();
        pipes.dial(1, PeerIndex(0));
        let mut raw = Self {
            pipes,
            address,
            endpoint,
        };
        for _ in 0..4 {
            raw.exchange(node, to_node);
        }
        assert!(raw.pipes.is_up(PeerIndex(0)));
        raw
    }

    fn exchange(&mut self, node: &mut Datapath, to_node: SocketAddr) {
        while let Some((_, mut datagram)) = self.pipes.take_outgoing() {
            node.handle(1, self.endpoint, &mut datagram);
        }
        let mut back = Vec::new();
        while let Some(train) = node.next_train() {
            if train.to == self.endpoint {
                back.push(train.bytes.to_vec());
            }
        }
        for mut datagram in back {
            if DatagramType::of(&datagram) == Ok(DatagramType::Data) {
                let opened = self.pipes.open(1, to_node, &mut datagram).unwrap();
                let header = Header::parse(&datagram[opened.header.clone()]).unwrap();
                let payload = &datagram[opened.payload.clone()];
                self.pipes.handle_control(1, &opened, &header, payload);
            } else {
                self.pipes.handle_handshake(1, to_node, &mut datagram);
            }
        }
    }

    /// A datagram with this header, as sealed for the node.
    pub fn seal(&mut self, header: &Header<'_>, payload: &[u8], is_covered: bool) -> Vec<u8> {
        let mut emitted = [0; Header::MAX_BYTES];
        let length = header.emit(&mut emitted).unwrap();
        let mut out = vec![0; Pipes::sealed_bytes(length, payload.len(), is_covered)];
        let header = &emitted[..length];
        self.pipes
            .seal(1, PeerIndex(0), header, payload, is_covered, &mut out)
            .unwrap();
        out
    }
}

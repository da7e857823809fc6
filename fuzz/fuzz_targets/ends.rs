//! Two ends with fixed keys, shared by the targets.

#![allow(dead_code)]

use std::net::SocketAddr;

use ei_datapath::handshake::public_key;
use ei_datapath::pipes::{PeerKind, Pipes, PipesConfig};
use ei_datapath::wire::Address;

pub fn endpoint(index: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, index], 3535))
}

pub fn private_key_of(index: u8) -> [u8; 32] {
    [index * 8; 32]
}

pub fn public_key_of(index: u8) -> [u8; 32] {
    public_key(&private_key_of(index))
}

/// An end that knows the other, without a pipe.
pub fn end(index: u8, other: u8) -> Pipes {
    let mut config = PipesConfig::new(private_key_of(index), Address([index; 16]), PeerKind::Node);
    config.seed = Some([index; 32]);
    let mut pipes = Pipes::new(config);
    pipes
        .add_peer(
            Address([other; 16]),
            public_key_of(other),
            PeerKind::Node,
            Some(endpoint(other)),
        )
        .expect("the other is new");
    pipes
}

/// Two ends with a pipe between them, at time 0.
pub fn connected() -> [Pipes; 2] {
    let (mut alice, mut bob) = (end(1, 2), end(2, 1));
    let peer = alice.peers().next().expect("bob is known");
    alice.dial(0, peer);
    let (_, mut initiation) = alice.take_outgoing().expect("an initiation");
    bob.handle_handshake(0, endpoint(1), &mut initiation);
    let (_, mut response) = bob.take_outgoing().expect("a response");
    alice.handle_handshake(0, endpoint(2), &mut response);
    let (_, mut probe) = alice.take_outgoing().expect("a probe");
    bob.open(0, endpoint(1), &mut probe)
        .expect("the probe opens");
    [alice, bob]
}

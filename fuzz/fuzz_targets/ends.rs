//! Ends with fixed keys.

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

//! Which connection: the peer's address and the number its packets carry.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

/// Names one stream connection of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    /// The other host's address.
    pub peer: [u8; 16],
    /// The L3.5 connection number, the same in both directions. Whoever connects draws it at random, so
    /// that the numbers of the two ends do not meet.
    pub connection: u64,
}

/// QUIC wants a port; the key is complete without one, so all have this.
const PORT: u16 = 3535;

impl ConnectionKey {
    /// The socket address under which QUIC knows this connection: it has room for the whole key, so no two
    /// keys meet in one address.
    pub(crate) fn to_socket(self) -> SocketAddr {
        let upper = (self.connection >> 32) as u32;
        let lower = self.connection as u32;
        SocketAddr::V6(SocketAddrV6::new(
            Ipv6Addr::from(self.peer),
            PORT,
            upper,
            lower,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_keys_share_an_address() {
        let mut seen = HashSet::new();

        for peer in [[1; 16], [2; 16]] {
            for connection in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX] {
                assert!(seen.insert(ConnectionKey { peer, connection }.to_socket()));
            }
        }
    }
}

//! What each end of a pipe says of itself in the handshake, encrypted.
//!
//! ```text
//! 0 boot u64 │ 8 address 16 B │ 24 lanes u8 │ 25 largest datagram u16
//! ```

use crate::wire::{Address, array_at, u16_at, u64_at};

/// Most lanes of a pipe: four bits of the receiver index.
pub(super) const MAX_LANES: u8 = 16;

/// See above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Random per start of the process: another one means that all state of before is gone.
    pub(super) boot: u64,
    /// Of who says it.
    pub(super) address: Address,
    /// Sending lanes, 1 to 16.
    pub(super) lanes: u8,
    /// Largest datagram it takes, 1,200 or more.
    pub(super) max_datagram_bytes: u16,
}

impl Greeting {
    const BYTES: usize = 27;

    pub(super) fn emit(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&self.boot.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.address.0);
        bytes[24] = self.lanes;
        bytes[25..27].copy_from_slice(&self.max_datagram_bytes.to_le_bytes());
        bytes
    }

    /// Bytes beyond those known are a later version's and ignored.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let greeting = Self {
            boot: u64_at(bytes, 0)?,
            address: Address(array_at(bytes, 8)?),
            lanes: *bytes.get(24)?,
            max_datagram_bytes: u16_at(bytes, 25)?,
        };
        let is_sane =
            (1..=MAX_LANES).contains(&greeting.lanes) && greeting.max_datagram_bytes >= 1_200;
        is_sane.then_some(greeting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting() -> Greeting {
        Greeting {
            boot: 0x0807_0605_0403_0201,
            address: Address([0xfd; 16]),
            lanes: 4,
            max_datagram_bytes: 1_452,
        }
    }

    #[test]
    fn the_layout_is_pinned() {
        let bytes = greeting().emit();

        assert_eq!(bytes[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(
            bytes[8..],
            [[0xfd; 16].as_slice(), &[4, 0xac, 0x05]].concat()
        );
        assert_eq!(Greeting::parse(&bytes), Some(greeting()));
    }

    #[test]
    fn a_later_version_may_say_more() {
        let mut bytes = greeting().emit().to_vec();
        bytes.push(1);

        assert_eq!(Greeting::parse(&bytes), Some(greeting()));
        assert_eq!(Greeting::parse(&bytes[..26]), None);
    }

    #[test]
    fn impossible_lanes_and_sizes_are_refused() {
        for (lanes, max_datagram_bytes) in [(0, 1_452), (17, 1_452), (1, 1_199)] {
            let bytes = Greeting {
                lanes,
                max_datagram_bytes,
                ..greeting()
            }
            .emit();
            assert_eq!(Greeting::parse(&bytes), None);
        }
    }
}

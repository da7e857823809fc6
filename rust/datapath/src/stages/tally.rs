//! `Tally`: count packets and payload bytes.

/// Counts since the object was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Payload bytes.
    pub payload_bytes: u64,
}

impl Tally {
    /// Count one packet.
    pub fn add(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.payload_bytes += payload_bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_without_payload_count_too() {
        let mut tally = Tally::default();

        tally.add(0);
        tally.add(7);

        assert_eq!(
            tally,
            Tally {
                packets: 2,
                payload_bytes: 7
            }
        );
    }
}

//! Other processors have no `TableHash`.

/// Nobody makes one here.
#[derive(Clone, Debug)]
pub enum TableHash {}

impl TableHash {
    /// `None`: the processor lacks what it needs.
    pub fn new(_point: u128, _rounds: [u128; 2]) -> Option<Self> {
        None
    }

    /// The hash of four blocks and what follows them.
    pub fn hash(&self, _numbers: [u128; 2], _blocks: [&[u8; 16]; 2], _rest: &[u8]) -> u128 {
        match *self {}
    }
}

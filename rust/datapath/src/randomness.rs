//! Where random bytes come from: the system, or a seed for a repeatable run (simulation only).

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// A source of random bytes.
pub(crate) enum Randomness {
    System(SystemRandom),
    Seeded { key: Box<hmac::Key>, counter: u64 },
}

/// The system gave no randomness: nothing secret can be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRandomness;

impl Randomness {
    /// The system's randomness, or HMAC-SHA-256 of a counter under `seed`.
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Self {
        match seed {
            None => Self::System(SystemRandom::new()),
            Some(seed) => Self::Seeded {
                key: Box::new(hmac::Key::new(hmac::HMAC_SHA256, &seed)),
                counter: 0,
            },
        }
    }

    /// Fill `out` with random bytes.
    pub(crate) fn fill(&mut self, out: &mut [u8]) -> Result<(), NoRandomness> {
        match self {
            Self::System(system) => system.fill(out).map_err(|_| NoRandomness),
            Self::Seeded { key, counter } => {
                for chunk in out.chunks_mut(32) {
                    let block = hmac::sign(key, &counter.to_le_bytes());
                    *counter += 1;
                    for (place, byte) in chunk.iter_mut().zip(block.as_ref()) {
                        *place = *byte;
                    }
                }
                Ok(())
            }
        }
    }

    /// An array of random bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A uniform u64; a timestamp-free constant when the system has no randomness (jitter only).
    pub(crate) fn jitter_below(&mut self, bound: u64) -> u64 {
        self.array()
            .map_or(bound / 2, |bytes| u64::from_le_bytes(bytes) % bound.max(1))
    }

    /// Another source for one handshake, so that `self` need not be shared.
    pub(crate) fn split(&mut self) -> Result<Self, NoRandomness> {
        match self {
            Self::System(_) => Ok(Self::new(None)),
            Self::Seeded { .. } => Ok(Self::new(Some(self.array()?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_two_seeds_differ() {
        let take = |seed: u8| Randomness::new(Some([seed; 32])).array::<100>().unwrap();

        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    #[test]
    fn a_split_source_differs_from_its_parent() {
        let mut parent = Randomness::new(Some([1; 32]));
        let mut child = parent.split().unwrap();

        assert_ne!(parent.array::<32>().unwrap(), child.array::<32>().unwrap());
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        let mut system = Randomness::new(None);

        assert_ne!(system.array::<32>().unwrap(), system.array::<32>().unwrap());
    }
}

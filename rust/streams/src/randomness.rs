//! Where randomness comes from: the system, or a seed for a run that can be repeated.
//!
//! QUIC takes its seed as an argument, TLS does not: rustls asks a `&'static` source of bytes and a
//! `&'static` key exchange. A seeded endpoint therefore leaks one [`Seeded`] of about 400 bytes; seeds are
//! for simulation, where that is the price of a repeatable handshake.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use curve25519_dalek::montgomery::MontgomeryPoint;
use quinn_proto::{ConnectionId, ConnectionIdGenerator};
use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use rustls::NamedGroup;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret,
    SupportedKxGroup,
};

use crate::StreamsError;
use crate::key_exchange::Hybrid;

/// The first source, from which each part of an endpoint gets its own seed.
pub(crate) struct Randomness {
    generator: ChaCha20Rng,
    is_seeded: bool,
}

impl Randomness {
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Result<Self, StreamsError> {
        let is_seeded = seed.is_some();
        let seed = match seed {
            Some(seed) => seed,
            None => {
                let mut seed = [0; 32];
                SysRng
                    .try_fill_bytes(&mut seed)
                    .map_err(|error| StreamsError::NoRandomness(error.to_string()))?;
                seed
            }
        };
        Ok(Self {
            generator: ChaCha20Rng::from_seed(seed),
            is_seeded,
        })
    }

    pub(crate) fn draw_seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.generator.fill_bytes(&mut seed);
        seed
    }

    pub(crate) fn draw_number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.generator.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// rustls' ring provider, reduced to TLS 1.3 with X25519MLKEM768: both ends are ours, so that neither can be
    /// talked into less. It draws from the seed when there is one.
    pub(crate) fn crypto_provider(&mut self) -> CryptoProvider {
        let provider = rustls::crypto::ring::default_provider();
        if !self.is_seeded {
            return CryptoProvider {
                kx_groups: vec![&HYBRID],
                ..provider
            };
        }
        let generator = Mutex::new(ChaCha20Rng::from_seed(self.draw_seed()));
        let seeded: &'static Seeded = Box::leak(Box::new(Seeded { generator }));
        let hybrid: &'static Hybrid = Box::leak(Box::new(Hybrid {
            classical: seeded,
            random: seeded,
        }));
        CryptoProvider {
            kx_groups: vec![hybrid],
            secure_random: seeded,
            ..provider
        }
    }
}

/// rustls' ring provider with X25519MLKEM768 in front of what it has: for those who may be anybody.
pub(crate) fn provider_for_all() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.kx_groups.insert(0, &HYBRID);
    provider
}

/// With the system's randomness.
static HYBRID: Hybrid = Hybrid {
    classical: rustls::crypto::ring::kx_group::X25519,
    random: &System,
};

#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        SysRng.try_fill_bytes(out).map_err(|_| GetRandomFailed)
    }
}

/// Repeatable randomness for TLS, and X25519 with keys drawn from it.
struct Seeded {
    generator: Mutex<ChaCha20Rng>,
}

impl Seeded {
    fn draw(&self, out: &mut [u8]) {
        self.generator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(out);
    }
}

impl fmt::Debug for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeded")
    }
}

impl SecureRandom for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), GetRandomFailed> {
        self.draw(out);
        Ok(())
    }
}

impl SupportedKxGroup for Seeded {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        let mut private = [0; 32];
        self.draw(&mut private);
        let public = MontgomeryPoint::mul_base_clamped(private).to_bytes();
        Ok(Box::new(SeededExchange { private, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct SeededExchange {
    private: [u8; 32],
    public: [u8; 32],
}

impl ActiveKeyExchange for SeededExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, rustls::Error> {
        let invalid = rustls::Error::from(rustls::PeerMisbehaved::InvalidKeyShare);
        let Ok(peer) = <[u8; 32]>::try_from(peer) else {
            return Err(invalid);
        };
        let shared = MontgomeryPoint(peer).mul_clamped(self.private).to_bytes();
        if shared == [0; 32] {
            return Err(invalid);
        }
        Ok(SharedSecret::from(&shared[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// Names that this end gives its QUIC connections.
///
/// 8 bytes, although the L3.5 connection already names the connection: an identifier is what makes a
/// stateless reset possible, by which a restarted host tells its peers at once that their connections are
/// gone.
pub(crate) struct ConnectionIds {
    generator: ChaCha20Rng,
}

/// quinn's own default.
const CONNECTION_ID_BYTES: usize = 8;

/// The most that RFC 9000 allows.
const INITIAL_ID_BYTES: usize = 20;

impl ConnectionIds {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            generator: ChaCha20Rng::from_seed(seed),
        }
    }

    /// The identifier by which a client first calls a server (RFC 9000 7.2).
    pub(crate) fn draw_initial(&mut self) -> ConnectionId {
        let mut bytes = [0; INITIAL_ID_BYTES];
        self.generator.fill_bytes(&mut bytes);
        ConnectionId::new(&bytes)
    }
}

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; CONNECTION_ID_BYTES];
        self.generator.fill_bytes(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(seed: [u8; 32]) -> Box<dyn ActiveKeyExchange> {
        let provider = Randomness::new(Some(seed)).unwrap().crypto_provider();
        provider.kx_groups.first().unwrap().start().unwrap()
    }

    #[test]
    fn a_seed_repeats_the_key_exchange() {
        assert_eq!(exchange([1; 32]).pub_key(), exchange([1; 32]).pub_key());
        assert_ne!(exchange([1; 32]).pub_key(), exchange([2; 32]).pub_key());
    }

    #[test]
    fn the_seeded_exchange_agrees_with_the_one_of_the_system() {
        let seeded = exchange([3; 32]);

        let real = HYBRID.start_and_complete(seeded.pub_key()).unwrap();
        let secret = seeded.complete(&real.pub_key).unwrap();

        assert_eq!(secret.secret_bytes(), real.secret.secret_bytes());
    }

    #[test]
    fn a16_peers_of_ours_have_one_group_and_others_may_have_more() {
        let groups = |provider: &CryptoProvider| -> Vec<NamedGroup> {
            provider
                .kx_groups
                .iter()
                .map(|group| group.name())
                .collect()
        };

        let ours = Randomness::new(None).unwrap().crypto_provider();
        let of_all = provider_for_all();

        assert_eq!(groups(&ours), [NamedGroup::X25519MLKEM768]);
        assert_eq!(
            groups(&of_all)[..2],
            [NamedGroup::X25519MLKEM768, NamedGroup::X25519]
        );
    }

    #[test]
    fn a_key_share_of_small_order_is_refused() {
        assert!(exchange([4; 32]).complete(&[0; 1_120]).is_err());
        assert!(exchange([4; 32]).complete(&[9; 1_119]).is_err());
    }

    #[test]
    fn without_a_seed_no_two_endpoints_are_alike() {
        let mut one = Randomness::new(None).unwrap();
        let mut other = Randomness::new(None).unwrap();

        assert_ne!(one.draw_seed(), other.draw_seed());
    }
}

//! What `snow` computes with: X25519 of `curve25519-dalek`, hash and cipher of `ring`, our randomness.

use std::sync::Mutex;

use curve25519_dalek::montgomery::MontgomeryPoint;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};

use crate::aead::KEY_BYTES;
use crate::randomness::Randomness;

/// X25519 public key of a private key.
pub fn public_key(private_key: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    MontgomeryPoint::mul_base_clamped(*private_key).to_bytes()
}

/// The resolver of one handshake.
pub(super) struct Primitives {
    /// Taken by the one state that is built. The trait hands out shared references only.
    randomness: Mutex<Option<Randomness>>,
    own_public_key: [u8; KEY_BYTES],
}

impl Primitives {
    pub(super) fn new(randomness: Randomness, own_public_key: [u8; KEY_BYTES]) -> Self {
        Self {
            randomness: Mutex::new(Some(randomness)),
            own_public_key,
        }
    }
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        let randomness = self.randomness.lock().ok()?.take()?;
        Some(Box::new(InjectedRandom(randomness)))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        match choice {
            DHChoice::Curve25519 => Some(Box::new(X25519 {
                private_key: [0; KEY_BYTES],
                public_key: self.own_public_key,
            })),
            _ => None,
        }
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        RingResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

struct InjectedRandom(Randomness);

impl Random for InjectedRandom {
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(out).map_err(|_| snow::Error::Rng)
    }
}

/// `set` is for this end's static key, whose public half is known already: computing it for each
/// handshake would cost a tenth of it. `generate` makes the ephemeral key.
struct X25519 {
    private_key: [u8; KEY_BYTES],
    public_key: [u8; KEY_BYTES],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_BYTES
    }

    fn priv_len(&self) -> usize {
        KEY_BYTES
    }

    fn set(&mut self, private_key: &[u8]) {
        if let Ok(private_key) = private_key.try_into() {
            self.private_key = private_key;
        }
    }

    fn generate(&mut self, randomness: &mut dyn Random) -> Result<(), snow::Error> {
        randomness.try_fill_bytes(&mut self.private_key)?;
        self.public_key = public_key(&self.private_key);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public_key
    }

    fn privkey(&self) -> &[u8] {
        &self.private_key
    }

    fn dh(&self, public_key: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let public_key = public_key
            .first_chunk::<KEY_BYTES>()
            .ok_or(snow::Error::Dh)?;
        let shared = MontgomeryPoint(*public_key).mul_clamped(self.private_key);
        let out = out.first_chunk_mut::<KEY_BYTES>().ok_or(snow::Error::Dh)?;
        *out = shared.to_bytes();
        Ok(())
    }
}

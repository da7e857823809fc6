//! What `snow` computes with: X25519, hash and cipher of `ring`, our randomness.

use std::sync::Mutex;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};

use super::Identity;
use super::x25519::{public_key, shared_secret};
use crate::aead::KEY_BYTES;
use crate::randomness::Randomness;

/// The resolver of one handshake.
pub(super) struct Primitives {
    /// Taken by the one state that is built. The trait hands out shared references only.
    randomness: Mutex<Option<Randomness>>,
    identity: Identity,
}

impl Primitives {
    pub(super) fn new(randomness: Randomness, identity: Identity) -> Self {
        Self {
            randomness: Mutex::new(Some(randomness)),
            identity,
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
                identity: self.identity.clone(),
                private_key: [0; KEY_BYTES],
                public_key: [0; KEY_BYTES],
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

/// A key pair. Where it is this end's own, the public half is known already: computing it for each
/// handshake would cost a tenth of it.
struct X25519 {
    identity: Identity,
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
        let Ok(private_key) = private_key.try_into() else {
            return;
        };
        self.private_key = private_key;
        self.public_key = if private_key == self.identity.private_key {
            self.identity.public_key
        } else {
            public_key(&private_key)
        };
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
        let out = out.first_chunk_mut::<KEY_BYTES>().ok_or(snow::Error::Dh)?;
        *out = shared_secret(&self.private_key, public_key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::vectors::{bytes, vectors};
    use serde_json::Value;
    use snow::{Builder, HandshakeState};

    fn noise(vector: &Value, side: &str) -> HandshakeState {
        let params = vector["protocol_name"].as_str().unwrap().parse().unwrap();
        let of = |part: &str| bytes(&vector[format!("{side}_{part}")]);
        let (own, ephemeral, prologue) = (of("static"), of("ephemeral"), of("prologue"));
        let remote = of("remote_static");
        let primitives = Primitives::new(Randomness::new(Some([1; 32])), Identity::new([9; 32]));
        let mut builder = Builder::with_resolver(params, Box::new(primitives))
            .prologue(&prologue)
            .unwrap()
            .fixed_ephemeral_key_for_testing_only(&ephemeral);
        if !own.is_empty() {
            builder = builder.local_private_key(&own).unwrap();
        }
        if !remote.is_empty() {
            builder = builder.remote_public_key(&remote).unwrap();
        }
        let mut noise = if side == "init" {
            builder.build_initiator().unwrap()
        } else {
            builder.build_responder().unwrap()
        };
        for (modifier, place) in [("psk1", 1), ("psk2", 2)] {
            if vector["protocol_name"].as_str().unwrap().contains(modifier) {
                let secret = bytes(&vector[format!("{side}_psks")][0]);
                noise
                    .set_psk(place, secret[..].try_into().unwrap())
                    .unwrap();
            }
        }
        noise
    }

    #[test]
    fn the_noise_vectors_of_our_primitives_pass() {
        let vectors = vectors("noise_cacophony.json");
        let mut patterns = Vec::new();
        for vector in vectors["vectors"].as_array().unwrap() {
            let name = vector["protocol_name"].as_str().unwrap();
            if !name.ends_with("_25519_AESGCM_SHA256") {
                continue;
            }
            patterns.push(name);
            let (mut initiator, mut responder) = (noise(vector, "init"), noise(vector, "resp"));
            let messages = vector["messages"].as_array().unwrap();
            let mut turn = 0;
            while !initiator.is_handshake_finished() {
                let (sender, receiver) = if turn % 2 == 0 {
                    (&mut initiator, &mut responder)
                } else {
                    (&mut responder, &mut initiator)
                };
                let payload = bytes(&messages[turn]["payload"]);
                let (mut message, mut read) = (vec![0; 1_024], vec![0; 1_024]);
                let length = sender.write_message(&payload, &mut message).unwrap();
                assert_eq!(
                    message[..length],
                    bytes(&messages[turn]["ciphertext"]),
                    "{name}"
                );
                let length = receiver
                    .read_message(&message[..length], &mut read)
                    .unwrap();
                assert_eq!(read[..length], payload);
                turn += 1;
            }
            assert_eq!(
                initiator.get_handshake_hash(),
                bytes(&vector["handshake_hash"])
            );
        }
        assert!(patterns.contains(&"Noise_IKpsk2_25519_AESGCM_SHA256"));
    }
}

//! The handshake between two peers who know one another's public keys: `Noise_IKpsk2_25519_AESGCM_SHA256` (on
//! `snow`), whose pre-shared key is the secret of an ML-KEM-768 that both ends do at the same time. So what was
//! recorded stays closed to whoever breaks one of X25519 and ML-KEM, but not both.
//!
//! ```text
//! initiator                                                        responder
//!   initiation: e, es, s, ss, (encapsulation key, timestamp, what is said) ──▶
//!   ◀── response: ciphertext, e, ee, se, psk, (suites, what is said)
//!   first data datagram: proves that the initiator is live ──▶
//! ```
//! The prologue binds the version, the suite and the initiator's suite list; the responder's list is
//! in its encrypted answer, so that a stripped list makes both sides abort. The ciphertext needs no seal: a
//! changed one gives another secret, under which the answer does not open (FIPS 203, section 6.3). Only this
//! file touches Noise; who may try how often is in `cookies` and `admission`.

pub mod admission;
pub mod cookies;
mod kem;
mod primitives;
#[cfg(test)]
mod vectors;
mod x25519;

use ring::hkdf;
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState};

use crate::aead::KEY_BYTES;
use crate::counters::Reason;
use crate::randomness::Randomness;
use crate::wire::handshake::{SUITE_SLOTS, Suites};
use crate::wire::{WIRE_VERSION, u64_at};
use primitives::Primitives;

pub use kem::{encapsulate, encapsulation_key};
pub use x25519::{public_key, shared_secret};

/// X25519 and ML-KEM-768, the only suite that is spoken. 1 was X25519 alone.
pub const SUITE_X25519_MLKEM768: u8 = 2;
/// The suites of this build, the best first.
pub const SUITES: Suites = [SUITE_X25519_MLKEM768, 0, 0, 0];
/// What keys of that suite are made of, for people.
pub const SUITE_NAME: &str = "X25519 + ML-KEM-768";

const NOISE_NAME: &str = "Noise_IKpsk2_25519_AESGCM_SHA256";
/// Where the secret of ML-KEM goes: `psk2`, at the end of the second message.
const PSK_PLACE: u8 = 2;
/// Longest Noise message of ours: 32 + 48 + 1,184 + 8 + 27 + 16, with room for a later version's payload.
const MAX_NOISE_BYTES: usize = 1_536;
const TIMESTAMP_BYTES: usize = 8;

/// The key pair of this end.
#[derive(Clone)]
pub struct Identity {
    private_key: [u8; KEY_BYTES],
    public_key: [u8; KEY_BYTES],
}

impl Identity {
    /// From the X25519 private key.
    pub fn new(private_key: [u8; KEY_BYTES]) -> Self {
        Self {
            private_key,
            public_key: public_key(&private_key),
        }
    }

    /// The X25519 public key.
    pub fn public_key(&self) -> &[u8; KEY_BYTES] {
        &self.public_key
    }
}

/// The secrets of a finished handshake, one per direction.
#[derive(Clone)]
pub struct SessionSecrets {
    initiator_to_responder: [u8; KEY_BYTES],
    responder_to_initiator: [u8; KEY_BYTES],
    is_initiator: bool,
}

impl SessionSecrets {
    fn of(noise: &mut HandshakeState) -> Self {
        let (initiator_to_responder, responder_to_initiator) = noise.dangerously_get_raw_split();
        Self {
            initiator_to_responder,
            responder_to_initiator,
            is_initiator: noise.is_initiator(),
        }
    }

    /// Secrets that were agreed on elsewhere: first that of the initiator's direction.
    pub fn of_directions(secrets: [[u8; KEY_BYTES]; 2], is_initiator: bool) -> Self {
        let [initiator_to_responder, responder_to_initiator] = secrets;
        Self {
            initiator_to_responder,
            responder_to_initiator,
            is_initiator,
        }
    }

    /// Whether this end began the handshake.
    pub fn is_initiator(&self) -> bool {
        self.is_initiator
    }

    /// Key with which this end seals on `lane`.
    pub fn sealing_key(&self, lane: u8) -> [u8; KEY_BYTES] {
        self.lane_key(self.is_initiator, lane)
    }

    /// Key with which this end opens what the peer sealed on `lane`.
    pub fn opening_key(&self, lane: u8) -> [u8; KEY_BYTES] {
        self.lane_key(!self.is_initiator, lane)
    }

    /// HKDF-Expand-SHA-256(secret of the direction, "ei lane" | direction | lane).
    fn lane_key(&self, is_from_initiator: bool, lane: u8) -> [u8; KEY_BYTES] {
        let secret = if is_from_initiator {
            &self.initiator_to_responder
        } else {
            &self.responder_to_initiator
        };
        let mut key = [0; KEY_BYTES];
        let info = [&b"ei lane"[..], &[u8::from(is_from_initiator), lane]];
        let filled = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, secret)
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut key));
        if filled.is_err() {
            unreachable!("HKDF-SHA-256 gives {KEY_BYTES} bytes for any secret");
        }
        key
    }
}

impl std::fmt::Debug for SessionSecrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "SessionSecrets(is_initiator {})",
            self.is_initiator
        )
    }
}

/// An initiator that waits for the response.
pub struct Waiting {
    noise: HandshakeState,
    suite: u8,
    /// Makes the decapsulation key once more when it is needed: that has 2,400 bytes.
    seed: [u8; kem::SEED_BYTES],
}

impl Waiting {
    /// Begin: the message for `peer_key`, which says `timestamp` and what follows it.
    ///
    /// # Errors
    /// `BadHandshake` when the system has no randomness or the key is impossible.
    pub(crate) fn start(
        identity: &Identity,
        peer_key: &[u8; KEY_BYTES],
        timestamp: u64,
        said: &[u8],
        label: &[u8],
        randomness: &mut Randomness,
    ) -> Result<(Self, Vec<u8>), Reason> {
        let [suite, ..] = SUITES;
        let prologue = prologue(label, suite, SUITES);
        let mut noise = builder(identity, &prologue, randomness)?
            .remote_public_key(peer_key)
            .and_then(Builder::build_initiator)
            .map_err(|_| Reason::BadHandshake)?;
        let seed = randomness.array().map_err(|_| Reason::BadHandshake)?;
        let key = kem::encapsulation_key(&seed);
        let message = write(
            &mut noise,
            &[&key[..], &timestamp.to_le_bytes(), said].concat(),
        )?;
        Ok((Self { noise, suite, seed }, message))
    }

    /// Read the response, and return what it says. On error the state is as before, and another answer can be
    /// tried.
    ///
    /// # Errors
    /// `BadHandshake`; `UnknownSuite` when both ends have a better suite than the one chosen.
    pub(crate) fn finish(&mut self, message: &[u8]) -> Result<(Vec<u8>, SessionSecrets), Reason> {
        let (ciphertext, message) = message.split_first_chunk().ok_or(Reason::BadHandshake)?;
        let secret = kem::decapsulate(&self.seed, ciphertext);
        self.noise
            .set_psk(PSK_PLACE.into(), &secret)
            .map_err(|_| Reason::BadHandshake)?;
        let payload = read(&mut self.noise, message)?;
        let (suites, said) = payload.split_first_chunk().ok_or(Reason::BadHandshake)?;
        if best_common_suite(&SUITES, suites) != Some(self.suite) {
            return Err(Reason::UnknownSuite);
        }
        Ok((said.to_vec(), SessionSecrets::of(&mut self.noise)))
    }
}

/// A responder that has read an initiation and not yet answered.
pub struct Answering {
    noise: HandshakeState,
    /// The initiator's public key, proved.
    pub peer_key: [u8; KEY_BYTES],
    /// Unix nanoseconds, greater in each initiation of one initiator.
    pub timestamp: u64,
    payload: Vec<u8>,
}

impl Answering {
    /// Read an initiation: two X25519, and nothing yet of ML-KEM.
    ///
    /// # Errors
    /// `UnknownSuite`, `BadHandshake`.
    pub(crate) fn read(
        identity: &Identity,
        suite: u8,
        offered: Suites,
        message: &[u8],
        label: &[u8],
        randomness: &mut Randomness,
    ) -> Result<Self, Reason> {
        if suite == 0 || !SUITES.contains(&suite) {
            return Err(Reason::UnknownSuite);
        }
        let prologue = prologue(label, suite, offered);
        let mut noise = builder(identity, &prologue, randomness)?
            .build_responder()
            .map_err(|_| Reason::BadHandshake)?;
        let payload = read(&mut noise, message)?;
        let timestamp = u64_at(&payload, kem::PUBLIC_BYTES).ok_or(Reason::BadHandshake)?;
        let peer_key = noise
            .get_remote_static()
            .and_then(|key| key.try_into().ok())
            .ok_or(Reason::BadHandshake)?;
        Ok(Self {
            noise,
            peer_key,
            timestamp,
            payload,
        })
    }

    /// What the initiator says beside the time.
    pub(crate) fn said(&self) -> &[u8] {
        self.payload
            .get(kem::PUBLIC_BYTES + TIMESTAMP_BYTES..)
            .unwrap_or_default()
    }

    /// The response that says `said`, and the secrets: two X25519, a key pair and an encapsulation.
    ///
    /// # Errors
    /// `BadHandshake` when the initiator's encapsulation key is none, or the system has no randomness.
    pub(crate) fn answer(
        mut self,
        said: &[u8],
        randomness: &mut Randomness,
    ) -> Result<(Vec<u8>, SessionSecrets), Reason> {
        let key = self.payload.first_chunk().ok_or(Reason::BadHandshake)?;
        let drawn = randomness.array().map_err(|_| Reason::BadHandshake)?;
        let (ciphertext, secret) = kem::encapsulate(key, drawn).ok_or(Reason::BadHandshake)?;
        self.noise
            .set_psk(PSK_PLACE.into(), &secret)
            .map_err(|_| Reason::BadHandshake)?;
        let message = write(&mut self.noise, &[&SUITES[..], said].concat())?;
        let message = [&ciphertext[..], &message].concat();
        Ok((message, SessionSecrets::of(&mut self.noise)))
    }
}

/// The first suite of `ours` that is in `theirs`. Unknown values in either are passed over (GREASE).
pub fn best_common_suite(ours: &Suites, theirs: &Suites) -> Option<u8> {
    ours.iter()
        .copied()
        .find(|suite| *suite != 0 && theirs.contains(suite))
}

fn prologue(label: &[u8], suite: u8, offered: Suites) -> Vec<u8> {
    let mut prologue = Vec::with_capacity(label.len() + 2 + SUITE_SLOTS);
    prologue.extend_from_slice(label);
    prologue.extend_from_slice(&[WIRE_VERSION, suite]);
    prologue.extend_from_slice(&offered);
    prologue
}

fn builder<'a>(
    identity: &'a Identity,
    prologue: &'a [u8],
    randomness: &mut Randomness,
) -> Result<Builder<'a>, Reason> {
    let params: NoiseParams = NOISE_NAME.parse().map_err(|_| Reason::BadHandshake)?;
    let source = randomness.split().map_err(|_| Reason::BadHandshake)?;
    Builder::with_resolver(params, Box::new(Primitives::new(source, identity.clone())))
        .local_private_key(&identity.private_key)
        .and_then(|builder| builder.prologue(prologue))
        .map_err(|_| Reason::BadHandshake)
}

fn write(noise: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut message = vec![0; MAX_NOISE_BYTES];
    let length = noise
        .write_message(payload, &mut message)
        .map_err(|_| Reason::BadHandshake)?;
    message.truncate(length);
    Ok(message)
}

fn read(noise: &mut HandshakeState, message: &[u8]) -> Result<Vec<u8>, Reason> {
    let mut payload = vec![0; message.len()];
    let length = noise
        .read_message(message, &mut payload)
        .map_err(|_| Reason::BadHandshake)?;
    payload.truncate(length);
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &[u8] = b"test";
    const TIMESTAMP: u64 = 0x0807_0605_0403_0201;

    fn start(identity: &Identity, peer: &Identity) -> (Waiting, Vec<u8>) {
        let mut randomness = Randomness::new(Some([3; 32]));
        Waiting::start(
            identity,
            peer.public_key(),
            TIMESTAMP,
            b"hello",
            LABEL,
            &mut randomness,
        )
        .unwrap()
    }

    fn read_by(identity: &Identity, offered: Suites, message: &[u8]) -> Result<Answering, Reason> {
        let mut randomness = Randomness::new(Some([4; 32]));
        Answering::read(
            identity,
            SUITES[0],
            offered,
            message,
            LABEL,
            &mut randomness,
        )
    }

    fn answer_by(identity: &Identity, first: &[u8]) -> (Vec<u8>, SessionSecrets) {
        let answering = read_by(identity, SUITES, first).unwrap();
        let mut randomness = Randomness::new(Some([5; 32]));
        answering.answer(b"welcome", &mut randomness).unwrap()
    }

    /// A responder that says other suites than ours.
    fn answer_with(answering: Answering, suites: Suites) -> Vec<u8> {
        let Answering {
            mut noise, payload, ..
        } = answering;
        let (ciphertext, secret) =
            kem::encapsulate(payload.first_chunk().unwrap(), [6; 32]).unwrap();
        noise.set_psk(PSK_PLACE.into(), &secret).unwrap();
        let message = write(&mut noise, &[&suites[..], b"welcome"].concat()).unwrap();
        [&ciphertext[..], &message].concat()
    }

    #[test]
    fn both_ends_get_the_same_keys_and_know_each_other() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (mut waiting, first) = start(&alice, &bob);

        let answering = read_by(&bob, SUITES, &first).unwrap();
        assert_eq!(answering.peer_key, *alice.public_key());
        assert_eq!(answering.timestamp, TIMESTAMP);
        assert_eq!(answering.said(), b"hello");
        let mut randomness = Randomness::new(Some([5; 32]));
        let (second, of_bob) = answering.answer(b"welcome", &mut randomness).unwrap();
        let (said, of_alice) = waiting.finish(&second).unwrap();

        assert_eq!(said, b"welcome");
        let mut keys = std::collections::HashSet::new();
        for lane in 0..16 {
            assert_eq!(of_alice.sealing_key(lane), of_bob.opening_key(lane));
            assert_eq!(of_bob.sealing_key(lane), of_alice.opening_key(lane));
            keys.insert(of_alice.sealing_key(lane));
            keys.insert(of_bob.sealing_key(lane));
        }
        assert_eq!(keys.len(), 2 * 16);
    }

    #[test]
    fn the_sizes_of_both_messages_are_pinned() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (_, first) = start(&alice, &bob);
        let (second, _) = answer_by(&bob, &first);

        assert_eq!(first.len(), 32 + 48 + 1_184 + 8 + b"hello".len() + 16);
        assert_eq!(second.len(), 1_088 + 32 + 4 + b"welcome".len() + 16);
    }

    /// The keys hang on ML-KEM too: with all of X25519 the same, another secret gives other keys.
    #[test]
    fn the_secret_of_ml_kem_is_in_the_keys() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (mut waiting, first) = start(&alice, &bob);
        let (second, of_bob) = answer_by(&bob, &first);
        let answering = read_by(&bob, SUITES, &first).unwrap();
        let mut randomness = Randomness::new(Some([6; 32]));

        let (_, of_other) = answering.answer(b"welcome", &mut randomness).unwrap();

        assert_ne!(of_other.sealing_key(0), of_bob.sealing_key(0));
        assert!(waiting.finish(&second).is_ok());
    }

    #[test]
    fn a_changed_ciphertext_makes_the_initiator_abort_and_the_true_one_can_still_come() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (mut waiting, first) = start(&alice, &bob);
        let (second, _) = answer_by(&bob, &first);
        for place in [0, 500, 1_087, 1_088, second.len() - 1] {
            let mut changed = second.clone();
            changed[place] ^= 1;
            assert_eq!(
                waiting.finish(&changed).err(),
                Some(Reason::BadHandshake),
                "{place}"
            );
        }
        assert_eq!(
            waiting.finish(&second[..1_087]).err(),
            Some(Reason::BadHandshake)
        );

        assert!(waiting.finish(&second).is_ok());
    }

    #[test]
    fn a_stripped_suite_list_makes_the_responder_abort() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (_, first) = start(&alice, &bob);

        let stripped = read_by(&bob, [SUITES[0], 3, 0, 0], &first);

        assert_eq!(stripped.err(), Some(Reason::BadHandshake));
    }

    /// What recorded traffic would lie open by: X25519 alone.
    #[test]
    fn the_suite_without_ml_kem_is_refused() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (_, first) = start(&alice, &bob);
        let mut randomness = Randomness::new(Some([4; 32]));

        let classical = Answering::read(&bob, 1, [1, 0, 0, 0], &first, LABEL, &mut randomness);

        assert_eq!(classical.err(), Some(Reason::UnknownSuite));
    }

    /// GREASE: suites that nobody has must break nobody.
    #[test]
    fn unknown_suites_beside_ours_are_passed_over() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let offered = [0xfa, SUITES[0], 0x2a, 0];
        let prologue = prologue(LABEL, SUITES[0], offered);
        let mut randomness = Randomness::new(Some([3; 32]));
        let mut noise = builder(&alice, &prologue, &mut randomness)
            .unwrap()
            .remote_public_key(bob.public_key())
            .unwrap()
            .build_initiator()
            .unwrap();
        let seed = [7; kem::SEED_BYTES];
        let payload = [&kem::encapsulation_key(&seed)[..], &[0; 8]].concat();
        let first = write(&mut noise, &payload).unwrap();

        let answering = read_by(&bob, offered, &first).unwrap();
        let second = answer_with(answering, [SUITES[0], 0x1a, 0, 0]);
        let mut waiting = Waiting {
            noise,
            suite: SUITES[0],
            seed,
        };

        assert_eq!(waiting.finish(&second).unwrap().0, b"welcome");
    }

    #[test]
    fn a_suite_below_the_best_common_one_makes_the_initiator_abort() {
        assert_eq!(best_common_suite(&[2, 1, 0, 0], &[1, 2, 0, 0]), Some(2));
        assert_eq!(best_common_suite(&[1, 0, 0, 0], &[0xfa, 1, 0, 0]), Some(1));
        assert_eq!(best_common_suite(&[1, 0, 0, 0], &[0xfa, 0, 0, 0]), None);

        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (mut waiting, first) = start(&alice, &bob);
        let answering = read_by(&bob, SUITES, &first).unwrap();
        let second = answer_with(answering, [0xfa, 0, 0, 0]);

        assert_eq!(waiting.finish(&second).err(), Some(Reason::UnknownSuite));
    }

    #[test]
    fn what_is_no_encapsulation_key_is_not_answered() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (_, first) = start(&alice, &bob);
        let mut answering = read_by(&bob, SUITES, &first).unwrap();
        answering.payload[..3].fill(0xff);
        let mut randomness = Randomness::new(Some([5; 32]));

        let answered = answering.answer(b"welcome", &mut randomness);

        assert_eq!(answered.err(), Some(Reason::BadHandshake));
    }

    #[test]
    fn a_third_party_cannot_read_or_answer() {
        let (alice, bob, eve) = (
            Identity::new([1; 32]),
            Identity::new([2; 32]),
            Identity::new([3; 32]),
        );
        let (mut waiting, first) = start(&alice, &bob);

        assert_eq!(
            read_by(&eve, SUITES, &first).err(),
            Some(Reason::BadHandshake)
        );
        let (_, to_eve) = start(&alice, &eve);
        let (second, _) = answer_by(&eve, &to_eve);
        assert_eq!(waiting.finish(&second).err(), Some(Reason::BadHandshake));
    }
}

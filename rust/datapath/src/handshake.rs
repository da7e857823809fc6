//! `Noise_IK_25519_AESGCM_SHA256` between two peers who know one another's public keys (on `snow`).
//!
//! ```text
//! initiator                                                        responder
//!   initiation: e, es, s, ss, (timestamp, boot, address, lanes, size) ──▶
//!   ◀── response: e, ee, se, (boot, lanes, size, suites)
//!   first data datagram: proves that the initiator is live ──▶
//! ```
//! The prologue binds the version, the suite and the initiator's suite list; the responder's list is
//! in its encrypted answer, so that a stripped list makes both sides abort. Only this file touches
//! Noise; who may try how often is in `cookies` and `admission`.

pub mod admission;
pub mod cookies;
mod primitives;

use ring::hkdf;
use snow::params::NoiseParams;
use snow::{Builder, HandshakeState};

use crate::aead::KEY_BYTES;
use crate::counters::Reason;
use crate::randomness::Randomness;
use crate::wire::handshake::{SUITE_SLOTS, Suites};
use crate::wire::{Address, WIRE_VERSION, array_at, u16_at, u64_at};
use primitives::Primitives;

pub use primitives::{public_key, shared_secret};

/// `Noise_IK_25519_AESGCM_SHA256`, the only suite of version 1.
pub const SUITE_NOISE_IK_25519_AESGCM_SHA256: u8 = 1;
/// The suites of this build, the best first.
pub const SUITES: Suites = [SUITE_NOISE_IK_25519_AESGCM_SHA256, 0, 0, 0];
/// Most lanes of a pipe: four bits of the receiver index.
pub const MAX_LANES: u8 = 16;

const NOISE_NAME: &str = "Noise_IK_25519_AESGCM_SHA256";
/// Longest Noise message of ours: 32 + 48 + payload + 16, with room for a later version's payload.
const MAX_NOISE_BYTES: usize = 512;

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

/// What the initiator says of itself, encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Unix nanoseconds, greater in each initiation of one initiator.
    pub timestamp: u64,
    /// Random per start of the process: another one means that all state of before is gone.
    pub boot: u64,
    /// The initiator's address.
    pub address: Address,
    /// Sending lanes, 1 to 16.
    pub lanes: u8,
    /// Largest datagram it takes, 1,280 to 65,000.
    pub max_datagram_bytes: u16,
}

impl Hello {
    const BYTES: usize = 35;

    fn emit(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&self.timestamp.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.boot.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.address.0);
        bytes[32] = self.lanes;
        bytes[33..35].copy_from_slice(&self.max_datagram_bytes.to_le_bytes());
        bytes
    }

    /// Bytes beyond those known are a later version's and ignored.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let hello = Self {
            timestamp: u64_at(bytes, 0)?,
            boot: u64_at(bytes, 8)?,
            address: Address(array_at(bytes, 16)?),
            lanes: *bytes.get(32)?,
            max_datagram_bytes: u16_at(bytes, 33)?,
        };
        is_sane(hello.lanes, hello.max_datagram_bytes).then_some(hello)
    }
}

/// What the responder says of itself, encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// As in `Hello`.
    pub boot: u64,
    /// As in `Hello`.
    pub lanes: u8,
    /// As in `Hello`.
    pub max_datagram_bytes: u16,
    /// All suites that the responder has.
    pub suites: Suites,
}

impl Welcome {
    const BYTES: usize = 15;

    fn emit(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..8].copy_from_slice(&self.boot.to_le_bytes());
        bytes[8] = self.lanes;
        bytes[9..11].copy_from_slice(&self.max_datagram_bytes.to_le_bytes());
        bytes[11..15].copy_from_slice(&self.suites);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let welcome = Self {
            boot: u64_at(bytes, 0)?,
            lanes: *bytes.get(8)?,
            max_datagram_bytes: u16_at(bytes, 9)?,
            suites: array_at(bytes, 11)?,
        };
        is_sane(welcome.lanes, welcome.max_datagram_bytes).then_some(welcome)
    }
}

fn is_sane(lanes: u8, max_datagram_bytes: u16) -> bool {
    (1..=MAX_LANES).contains(&lanes) && max_datagram_bytes >= 1_200
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
}

impl Waiting {
    /// Begin: the Noise message 1 for `peer_key`, carrying `hello` and `extra`.
    ///
    /// # Errors
    /// `BadHandshake` when the system has no randomness or the key is impossible.
    pub(crate) fn start(
        identity: &Identity,
        peer_key: &[u8; KEY_BYTES],
        hello: &Hello,
        extra: &[u8],
        label: &[u8],
        randomness: &mut Randomness,
    ) -> Result<(Self, Vec<u8>), Reason> {
        let suite = SUITE_NOISE_IK_25519_AESGCM_SHA256;
        let prologue = prologue(label, suite, SUITES);
        let mut noise = builder(identity, &prologue, randomness)?
            .remote_public_key(peer_key)
            .and_then(Builder::build_initiator)
            .map_err(|_| Reason::BadHandshake)?;
        let message = write(&mut noise, &[&hello.emit(), extra].concat())?;
        Ok((Self { noise, suite }, message))
    }

    /// Read Noise message 2. On error the state is as before, and another answer can be tried.
    ///
    /// # Errors
    /// `BadHandshake`; `UnknownSuite` when both ends have a better suite than the one chosen.
    pub(crate) fn finish(&mut self, message: &[u8]) -> Result<(Welcome, SessionSecrets), Reason> {
        let payload = read(&mut self.noise, message)?;
        let welcome = Welcome::parse(&payload).ok_or(Reason::BadHandshake)?;
        if best_common_suite(&SUITES, &welcome.suites) != Some(self.suite) {
            return Err(Reason::UnknownSuite);
        }
        Ok((welcome, SessionSecrets::of(&mut self.noise)))
    }
}

/// A responder that has read an initiation and not yet answered.
pub struct Answering {
    noise: HandshakeState,
    /// The initiator's public key, proved.
    pub peer_key: [u8; KEY_BYTES],
    /// What it says of itself.
    pub hello: Hello,
    /// What it says beyond that.
    pub extra: Vec<u8>,
}

impl Answering {
    /// Read Noise message 1: two X25519.
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
        let hello = Hello::parse(&payload).ok_or(Reason::BadHandshake)?;
        let peer_key = noise
            .get_remote_static()
            .and_then(|key| key.try_into().ok())
            .ok_or(Reason::BadHandshake)?;
        let extra = payload.get(Hello::BYTES..).unwrap_or_default().to_vec();
        Ok(Self {
            noise,
            peer_key,
            hello,
            extra,
        })
    }

    /// Noise message 2, and the secrets: two X25519 and a key pair.
    ///
    /// # Errors
    /// `BadHandshake` when the system has no randomness.
    pub(crate) fn answer(mut self, welcome: &Welcome) -> Result<(Vec<u8>, SessionSecrets), Reason> {
        let message = write(&mut self.noise, &welcome.emit())?;
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

    fn hello() -> Hello {
        Hello {
            timestamp: 0x0807_0605_0403_0201,
            boot: 9,
            address: Address([0xfd; 16]),
            lanes: 4,
            max_datagram_bytes: 1_452,
        }
    }

    fn welcome() -> Welcome {
        Welcome {
            boot: 7,
            lanes: 2,
            max_datagram_bytes: 1_500,
            suites: SUITES,
        }
    }

    fn start(identity: &Identity, peer: &Identity) -> (Waiting, Vec<u8>) {
        let mut randomness = Randomness::new(Some([3; 32]));
        Waiting::start(
            identity,
            peer.public_key(),
            &hello(),
            &[],
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

    #[test]
    fn both_ends_get_the_same_keys_and_know_each_other() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (mut waiting, first) = start(&alice, &bob);

        let answering = read_by(&bob, SUITES, &first).unwrap();
        assert_eq!(answering.peer_key, *alice.public_key());
        assert_eq!(answering.hello, hello());
        let (second, of_bob) = answering.answer(&welcome()).unwrap();
        let (welcomed, of_alice) = waiting.finish(&second).unwrap();

        assert_eq!(welcomed, welcome());
        let mut keys = std::collections::HashSet::new();
        for lane in 0..MAX_LANES {
            assert_eq!(of_alice.sealing_key(lane), of_bob.opening_key(lane));
            assert_eq!(of_bob.sealing_key(lane), of_alice.opening_key(lane));
            keys.insert(of_alice.sealing_key(lane));
            keys.insert(of_bob.sealing_key(lane));
        }
        assert_eq!(keys.len(), 2 * usize::from(MAX_LANES));
    }

    #[test]
    fn the_payloads_are_pinned() {
        let bytes = hello().emit();
        assert_eq!(bytes[..10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
        assert_eq!(
            bytes[16..],
            [[0xfd; 16].as_slice(), &[4, 0xac, 0x05]].concat()
        );
        assert_eq!(Hello::parse(&bytes), Some(hello()));

        let bytes = welcome().emit();
        assert_eq!(bytes, [7, 0, 0, 0, 0, 0, 0, 0, 2, 0xdc, 0x05, 1, 0, 0, 0]);
        assert_eq!(Welcome::parse(&bytes), Some(welcome()));
    }

    #[test]
    fn a_later_version_may_say_more() {
        let mut bytes = hello().emit().to_vec();
        bytes.push(1);

        assert_eq!(Hello::parse(&bytes), Some(hello()));
    }

    #[test]
    fn impossible_lanes_and_sizes_are_refused() {
        for (lanes, max_datagram_bytes) in [(0, 1_452), (17, 1_452), (1, 1_199)] {
            let bytes = Hello {
                lanes,
                max_datagram_bytes,
                ..hello()
            }
            .emit();
            assert_eq!(Hello::parse(&bytes), None);
        }
    }

    #[test]
    fn a_stripped_suite_list_makes_the_responder_abort() {
        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (_, first) = start(&alice, &bob);

        let stripped = read_by(&bob, [1, 2, 0, 0], &first);

        assert_eq!(stripped.err(), Some(Reason::BadHandshake));
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
        let first = write(&mut noise, &hello().emit()).unwrap();
        let greased = Welcome {
            suites: [SUITES[0], 0x1a, 0, 0],
            ..welcome()
        };

        let (second, _) = read_by(&bob, offered, &first)
            .unwrap()
            .answer(&greased)
            .unwrap();
        let mut waiting = Waiting {
            noise,
            suite: SUITES[0],
        };

        assert_eq!(waiting.finish(&second).unwrap().0, greased);
    }

    #[test]
    fn a_suite_below_the_best_common_one_makes_the_initiator_abort() {
        assert_eq!(best_common_suite(&[2, 1, 0, 0], &[1, 2, 0, 0]), Some(2));
        assert_eq!(best_common_suite(&[1, 0, 0, 0], &[0xfa, 1, 0, 0]), Some(1));
        assert_eq!(best_common_suite(&[1, 0, 0, 0], &[0xfa, 0, 0, 0]), None);

        let (alice, bob) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let (mut waiting, first) = start(&alice, &bob);
        let liar = Welcome {
            suites: [0xfa, 0, 0, 0],
            ..welcome()
        };
        let (second, _) = read_by(&bob, SUITES, &first)
            .unwrap()
            .answer(&liar)
            .unwrap();

        assert_eq!(waiting.finish(&second).err(), Some(Reason::UnknownSuite));
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
        let (second, _) = read_by(&eve, SUITES, &to_eve)
            .unwrap()
            .answer(&welcome())
            .unwrap();
        assert_eq!(waiting.finish(&second).err(), Some(Reason::BadHandshake));
    }
}

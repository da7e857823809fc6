//! Keyed checksums of handshake datagrams, and the cookies of a busy responder.
//!
//! As in WireGuard: `mac1` proves that the sender knows whom it speaks to, so that a node is silent to
//! strangers; `mac2` proves that it receives at the address it sends from. A cookie is a checksum of
//! that address under a secret that lives 120 s; nothing is kept per initiator.

use std::net::{IpAddr, SocketAddr};

use ring::{digest, hmac};
use subtle::ConstantTimeEq;

use crate::aead::{KEY_BYTES, PacketKey};
use crate::counters::Reason;
use crate::randomness::{NoRandomness, Randomness};
use crate::wire::handshake::{CookieReply, MAC_BYTES};

/// Life of the secret behind the cookies, and so of every cookie (wireguard-go, constants.go).
pub const SECRET_LIFE_NS: u64 = 120_000_000_000;

type Mac = [u8; MAC_BYTES];

/// What is computed from one public key: the checksum key, and the key that hides cookies.
pub struct MacKeys {
    mac1: hmac::Key,
    cookie: hmac::Key,
}

impl MacKeys {
    /// For datagrams to the owner of `public_key`.
    pub fn new(public_key: &[u8; KEY_BYTES]) -> Self {
        Self {
            mac1: labelled(b"ei mac1", public_key),
            cookie: labelled(b"ei cookie", public_key),
        }
    }

    /// Checksum of a handshake datagram up to the checksum.
    pub fn mac1(&self, before: &[u8]) -> Mac {
        short_mac(&self.mac1, before)
    }

    /// Whether `mac1` is right, in constant time.
    pub fn is_mac1(&self, before: &[u8], mac1: &Mac) -> bool {
        is_equal(&self.mac1(before), mac1)
    }

    /// Hide `cookie` from all but who sent the initiation with `mac1`.
    fn seal_cookie(
        &self,
        receiver_index: u32,
        nonce: Mac,
        mac1: &Mac,
        cookie: &Mac,
    ) -> Result<CookieReply, Reason> {
        let mut sealed = [0; 2 * MAC_BYTES];
        let (plain, tag) = sealed.split_at_mut(MAC_BYTES);
        plain.copy_from_slice(cookie);
        tag.copy_from_slice(&self.cookie_key(&nonce).seal(0, mac1, plain)?);
        Ok(CookieReply {
            receiver_index,
            nonce,
            sealed,
        })
    }

    /// The cookie in a reply to an initiation that we sent with `mac1`.
    ///
    /// # Errors
    /// `BadHandshake` when it answers another initiation or was forged.
    pub fn open_cookie(&self, reply: &CookieReply, mac1: &Mac) -> Result<Cookie, Reason> {
        let mut sealed = reply.sealed;
        let plain = self
            .cookie_key(&reply.nonce)
            .open(0, mac1, &mut sealed)
            .map_err(|_| Reason::BadHandshake)?;
        plain
            .try_into()
            .map(Cookie)
            .map_err(|_| Reason::BadHandshake)
    }

    /// A fresh key per reply, so that its fixed nonce is used once.
    fn cookie_key(&self, nonce: &Mac) -> PacketKey {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(hmac::sign(&self.cookie, nonce).as_ref());
        PacketKey::new(&key)
    }
}

/// A cookie that a responder gave us.
#[derive(Clone, Copy)]
pub struct Cookie(Mac);

impl Cookie {
    /// Proof that we have the cookie, over a datagram up to the proof.
    pub fn mac2(&self, before: &[u8]) -> Mac {
        short_mac(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), before)
    }
}

/// The responder's side: a secret that changes.
pub struct CookieJar {
    secret: Option<(hmac::Key, u64)>,
}

impl CookieJar {
    /// Makes its secret when the first cookie is asked for.
    pub fn new() -> Self {
        Self { secret: None }
    }

    /// A reply with a cookie for `from`.
    pub(crate) fn reply(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        receiver_index: u32,
        mac1: &Mac,
        keys: &MacKeys,
        randomness: &mut Randomness,
    ) -> Result<CookieReply, Reason> {
        let cookie = self
            .cookie(now_ns, from, randomness)
            .map_err(|_| Reason::CookieRequired)?;
        let nonce = randomness.array().map_err(|_| Reason::CookieRequired)?;
        keys.seal_cookie(receiver_index, nonce, mac1, &cookie.0)
    }

    /// Whether `mac2` proves a cookie that we gave to `from` and that still lives.
    pub fn is_proved(&self, now_ns: u64, from: SocketAddr, before: &[u8], mac2: &Mac) -> bool {
        self.living_secret(now_ns)
            .is_some_and(|secret| is_equal(&cookie_of(secret, from).mac2(before), mac2))
    }

    /// The cookie itself, for who is told it by other means than `reply`.
    pub(crate) fn give(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        randomness: &mut Randomness,
    ) -> Result<Mac, NoRandomness> {
        self.cookie(now_ns, from, randomness).map(|cookie| cookie.0)
    }

    /// Whether `cookie` was given to `from` and still lives.
    pub(crate) fn is_given(&self, now_ns: u64, from: SocketAddr, cookie: &[u8]) -> bool {
        let Ok(cookie) = cookie.try_into() else {
            return false;
        };
        self.living_secret(now_ns)
            .is_some_and(|secret| is_equal(&cookie_of(secret, from).0, cookie))
    }

    fn living_secret(&self, now_ns: u64) -> Option<&hmac::Key> {
        self.secret
            .as_ref()
            .filter(|(_, made_ns)| now_ns.saturating_sub(*made_ns) < SECRET_LIFE_NS)
            .map(|(secret, _)| secret)
    }

    fn cookie(
        &mut self,
        now_ns: u64,
        from: SocketAddr,
        randomness: &mut Randomness,
    ) -> Result<Cookie, NoRandomness> {
        if let Some(secret) = self.living_secret(now_ns) {
            return Ok(cookie_of(secret, from));
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &randomness.array::<KEY_BYTES>()?);
        let cookie = cookie_of(&secret, from);
        self.secret = Some((secret, now_ns));
        Ok(cookie)
    }
}

impl Default for CookieJar {
    fn default() -> Self {
        Self::new()
    }
}

fn cookie_of(secret: &hmac::Key, from: SocketAddr) -> Cookie {
    let mut bytes = [0; 18];
    let (ip, port) = bytes.split_at_mut(16);
    ip.copy_from_slice(&octets(from.ip()));
    port.copy_from_slice(&from.port().to_le_bytes());
    Cookie(short_mac(secret, &bytes))
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn labelled(label: &[u8], public_key: &[u8; KEY_BYTES]) -> hmac::Key {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(label);
    context.update(public_key);
    hmac::Key::new(hmac::HMAC_SHA256, context.finish().as_ref())
}

fn short_mac(key: &hmac::Key, bytes: &[u8]) -> Mac {
    let full = hmac::sign(key, bytes);
    full.as_ref().first_chunk().copied().unwrap_or_default()
}

fn is_equal(a: &Mac, b: &Mac) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &[u8] = b"an initiation";

    fn endpoint(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn bake(jar: &mut CookieJar, now_ns: u64, from: SocketAddr) -> Cookie {
        let keys = MacKeys::new(&[1; 32]);
        let mut randomness = Randomness::new(Some([5; 32]));
        let reply = jar
            .reply(now_ns, from, 7, &[2; 16], &keys, &mut randomness)
            .unwrap();
        assert_eq!(reply.receiver_index, 7);
        keys.open_cookie(&reply, &[2; 16]).unwrap()
    }

    #[test]
    fn a_cookie_proves_its_own_address_only() {
        let mut jar = CookieJar::new();
        let from = endpoint("127.0.0.1:3535");
        let mac2 = bake(&mut jar, 0, from).mac2(BEFORE);

        assert!(jar.is_proved(1, from, BEFORE, &mac2));
        assert!(!jar.is_proved(1, endpoint("127.0.0.1:3536"), BEFORE, &mac2));
        assert!(!jar.is_proved(1, endpoint("127.0.0.2:3535"), BEFORE, &mac2));
        assert!(!jar.is_proved(1, from, b"another", &mac2));
        assert!(!jar.is_proved(1, from, BEFORE, &[0; 16]));
    }

    /// A3: the secret rotates after 120 s, and its cookies end with it.
    #[test]
    fn a3_a_cookie_is_refused_after_120_s() {
        let mut jar = CookieJar::new();
        let from = endpoint("[::1]:3535");
        let mac2 = bake(&mut jar, 1_000, from).mac2(BEFORE);

        assert!(jar.is_proved(1_000 + 119_999_999_999, from, BEFORE, &mac2));
        assert!(!jar.is_proved(1_000 + 120_000_000_000, from, BEFORE, &mac2));

        let mut randomness = Randomness::new(Some([6; 32]));
        jar.cookie(1_000 + 120_000_000_000, from, &mut randomness)
            .unwrap();
        assert!(!jar.is_proved(1_001 + 120_000_000_000, from, BEFORE, &mac2));
    }

    #[test]
    fn a_cookie_is_only_for_who_sent_the_initiation() {
        let keys = MacKeys::new(&[1; 32]);
        let mut randomness = Randomness::new(Some([5; 32]));
        let from = endpoint("127.0.0.1:3535");
        let reply = CookieJar::new()
            .reply(0, from, 7, &[2; 16], &keys, &mut randomness)
            .unwrap();

        assert!(keys.open_cookie(&reply, &[3; 16]).is_err());
        assert!(
            MacKeys::new(&[2; 32])
                .open_cookie(&reply, &[2; 16])
                .is_err()
        );
    }

    #[test]
    fn mac1_names_the_receiver() {
        let mac1 = MacKeys::new(&[1; 32]).mac1(BEFORE);

        assert!(MacKeys::new(&[1; 32]).is_mac1(BEFORE, &mac1));
        assert!(!MacKeys::new(&[2; 32]).is_mac1(BEFORE, &mac1));
        assert!(!MacKeys::new(&[1; 32]).is_mac1(b"another", &mac1));
    }
}

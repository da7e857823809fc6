//! The variant of this processor and the one that runs anywhere give the same bytes and refuse the same.
//!
//! Where the processor has no better variant than the latter, it is held against itself.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use ei_aead::{Key, Nonce, Refused, TAG_BYTES};
use proptest::prelude::*;

/// Bytes that look random, always the same.
struct Bytes(u64);

impl Bytes {
    fn fill(&mut self, place: &mut [u8]) {
        for byte in place {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
    }

    fn keys(&mut self) -> [Key; 2] {
        let mut key = [0; 32];
        self.fill(&mut key);
        [Key::new(&key), Key::portable(&key)]
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        self.fill(&mut nonce);
        Nonce::from_bytes(nonce)
    }
}

/// Seal with both, open what each made with the other; returns the sealed message.
fn both_agree(
    [one, other]: &[Key; 2],
    nonce: Nonce,
    associated: &[u8],
    plain: &[u8],
    buffer: &mut Vec<u8>,
) {
    buffer.clear();
    buffer.extend_from_slice(plain);
    let tag = one.seal(nonce, associated, buffer).unwrap();
    buffer.extend_from_slice(&tag);
    opens(other, nonce, associated, plain, buffer);
    // What the other made of it is the plain text and the tag.
    let (text, _) = buffer.split_at_mut(plain.len());
    let other_tag = other.seal(nonce, associated, text);
    assert_eq!(other_tag, Ok(tag));
    opens(one, nonce, associated, plain, buffer);
}

/// What is sealed opens to the plain text.
fn opens(key: &Key, nonce: Nonce, associated: &[u8], plain: &[u8], sealed: &mut [u8]) {
    let opened = key
        .open(nonce, associated, sealed)
        .map(|text| text == plain);
    assert_eq!(
        opened,
        Ok(true),
        "{} and {} bytes",
        plain.len(),
        associated.len()
    );
}

/// Flip one bit of a sealed message or of its associated data: both refuse it, and nothing of the text is left.
fn both_refuse(
    keys: &[Key; 2],
    nonce: Nonce,
    associated: &[u8],
    sealed: &[u8],
    at: usize,
    bit: u8,
) {
    let mut changed = [associated, sealed].concat();
    changed[at] ^= 1 << (bit % 8);
    for key in keys {
        let mut changed = changed.clone();
        let (associated, sealed) = changed.split_at_mut(associated.len());
        assert_eq!(key.open(nonce, associated, sealed), Err(Refused));
        if !key.is_portable() {
            let text = &sealed[..sealed.len() - TAG_BYTES];
            assert!(text.iter().all(|byte| *byte == 0), "{text:?}");
        }
    }
}

fn all_lengths(associated_lengths: impl Iterator<Item = usize> + Clone) {
    let mut random = Bytes(1);
    let mut buffer = Vec::new();
    let mut plain = vec![0; 2_100];
    let mut associated = [0; 64];
    for length in 0..=plain.len() {
        let keys = random.keys();
        random.fill(&mut plain);
        random.fill(&mut associated);
        for associated_length in associated_lengths.clone() {
            let associated = &associated[..associated_length];
            both_agree(
                &keys,
                random.nonce(),
                associated,
                &plain[..length],
                &mut buffer,
            );
        }
    }
}

fn every_byte(lengths: impl Iterator<Item = usize>) {
    let mut random = Bytes(2);
    for length in lengths {
        let keys = random.keys();
        let nonce = random.nonce();
        let mut sealed = vec![0; length];
        let mut associated = vec![0; length % 65];
        random.fill(&mut sealed);
        random.fill(&mut associated);
        let tag = keys[0].seal(nonce, &associated, &mut sealed).unwrap();
        sealed.extend_from_slice(&tag);
        for at in 0..associated.len() + sealed.len() {
            both_refuse(&keys, nonce, &associated, &sealed, at, at as u8);
        }
    }
}

#[test]
fn both_give_the_same_bytes_at_every_length() {
    all_lengths([0, 1, 15, 16, 17, 32, 33, 64].into_iter());
}

#[test]
fn a_change_of_any_byte_is_refused_and_leaves_nothing_of_the_text() {
    every_byte((0..300).chain([511, 512, 1_400]));
}

/// Every length with every associated length, and every byte of all.
#[test]
#[ignore = "six seconds: cargo test -p ei-aead --profile checks -- --ignored"]
fn both_agree_at_every_pair_of_lengths_and_refuse_a_change_of_any_byte() {
    all_lengths(0..=64);
    every_byte(0..=2_100);
}

#[test]
fn block_numbers_carry_past_16_bits() {
    let mut random = Bytes(3);
    let keys = random.keys();
    let mut plain = vec![0; (1 << 20) + 200];
    random.fill(&mut plain);

    both_agree(&keys, random.nonce(), b"prefix", &plain, &mut Vec::new());
}

#[test]
fn what_is_shorter_than_a_tag_is_refused() {
    for key in Bytes(4).keys() {
        for length in 0..TAG_BYTES {
            let mut sealed = vec![0; length];
            assert_eq!(
                key.open(Nonce::from_counter(1), b"", &mut sealed),
                Err(Refused)
            );
        }
    }
}

#[test]
fn a_counter_is_four_zero_bytes_and_the_counter() {
    let counter = Nonce::from_counter(0x0807_0605_0403_0201);

    assert_eq!(
        counter,
        Nonce::from_bytes([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    );
}

#[test]
fn a_key_is_six_cache_lines() {
    assert_eq!((size_of::<Key>(), align_of::<Key>()), (384, 64));
}

proptest! {
    /// Wherever the message begins in memory.
    #[test]
    fn both_agree_and_refuse_on_anything(
        key: [u8; 32], nonce: [u8; 12], skipped in 0usize..64, at: proptest::sample::Index, bit: u8,
        associated in proptest::collection::vec(any::<u8>(), 0..200),
        plain in proptest::collection::vec(any::<u8>(), 0..9_000),
    ) {
        let keys = [Key::new(&key), Key::portable(&key)];
        let nonce = Nonce::from_bytes(nonce);
        let skipped = skipped.min(plain.len());
        let plain = &plain[skipped..];
        both_agree(&keys, nonce, &associated, plain, &mut Vec::new());

        let mut place = vec![0; skipped];
        place.extend_from_slice(plain);
        let tag = keys[0].seal(nonce, &associated, &mut place[skipped..]).unwrap();
        place.extend_from_slice(&tag);
        let sealed = &place[skipped..];
        both_refuse(&keys, nonce, &associated, sealed, at.index(associated.len() + sealed.len()), bit);
    }
}

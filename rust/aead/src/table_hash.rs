//! A keyed hash for tables whose keys strangers choose.
//!
//! ```text
//! input:      │ 4 blocks │ rest: 4 blocks │ … │ up to 4 blocks │   zeros behind it
//! polynomial: X = X·R⁴ + c, lane by lane; then S = X₁·R⁴ + X₂·R³ + X₃·R² + X₄·R
//! hash:       AES round of (AES round of S, K₁), K₂
//! ```
//! R is a secret point of GF(2^128), K₁ and K₂ are secret round keys.
//!
//! *Collisions.* S is a polynomial in R without a constant term, its coefficients the blocks of the input. Two
//! inputs with the same S are a root of the difference of both, which has at most n roots for inputs of up to n
//! blocks: whoever chooses them without knowing R succeeds for n of 2^128 points, 24 with up to 320 bytes of
//! `rest`. Of a million inputs in a table and 2^60 that are tried some two are alike with a probability below
//! 24·2^80 / 2^128 < 2^-43. The rounds of AES are a bijection, so they add nothing to that.
//!
//! *Places in a table.* Any 32 bits of S are alike for at most n of 2^32 points in the same way. But S alone is linear over
//! GF(2) in its blocks: for some points a subspace of inputs would gather in few places, and who could measure
//! which inputs share one would learn about R. Two rounds with secret keys carry each bit of S to all bits of the
//! hash and leave nothing linear. The hash is for tables of this process: it is nobody's to see.

use core::arch::x86_64::*;

use crate::field::{products, reduced, sum_of_lanes};
use crate::wide::{is_able, load};

const VECTOR_BYTES: usize = 64;

/// The secret of one table or process.
#[derive(Clone)]
pub struct TableHash {
    /// R⁴, R³, R², R.
    powers: [u128; 4],
    rounds: [u128; 2],
}

impl TableHash {
    /// A hash with its secrets, all of them random; `None` where the processor lacks what it needs.
    pub fn new(point: u128, rounds: [u128; 2]) -> Option<Self> {
        is_able().then(|| Self {
            // SAFETY: the processor has every feature that `powers_of` enables.
            powers: unsafe { powers_of(point) },
            rounds,
        })
    }

    /// The hash of four blocks and what follows them. One of the two numbers must say how long `rest` is.
    #[inline]
    pub fn hash(&self, numbers: [u128; 2], blocks: [&[u8; 16]; 2], rest: &[u8]) -> u128 {
        let [first, second] = numbers;
        let [third, fourth] = blocks;
        // SAFETY: there is a `TableHash` only where the processor has every feature that `hash` enables.
        unsafe { hash(self, first, second, third, fourth, rest) }
    }
}

impl std::fmt::Debug for TableHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("TableHash")
    }
}

/// Numbers come in registers: written in halves and read as a whole the processor would wait for them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn hash(
    secret: &TableHash,
    first: u128,
    second: u128,
    third: &[u8; 16],
    fourth: &[u8; 16],
    rest: &[u8],
) -> u128 {
    let sum = polynomial(secret, first, second, third, fourth, rest);
    let [one, two] = secret.rounds;
    number_of(_mm_aesenc_si128(
        _mm_aesenc_si128(sum, block_of(one)),
        block_of(two),
    ))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn polynomial(
    secret: &TableHash,
    first: u128,
    second: u128,
    third: &[u8; 16],
    fourth: &[u8; 16],
    rest: &[u8],
) -> __m128i {
    let [highest, ..] = secret.powers;
    let numbers = _mm256_set_m128i(block_of(second), block_of(first));
    let [third, fourth] = [third, fourth].map(|block| u128::from_le_bytes(*block));
    let blocks = _mm256_set_m128i(block_of(fourth), block_of(third));
    let mut lanes = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(numbers), blocks);
    for vector in rest.chunks(VECTOR_BYTES) {
        let step = _mm512_broadcast_i32x4(block_of(highest));
        lanes = _mm512_xor_si512(load(vector), reduced(products(lanes, step)));
    }
    let [_, cube, square, point] = secret.powers;
    let high = _mm256_set_m128i(block_of(cube), block_of(highest));
    let low = _mm256_set_m128i(block_of(point), block_of(square));
    let powers = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(high), low);
    sum_of_lanes(reduced(products(lanes, powers)))
}

/// From the fourth to the first. A product here is that of the field over x^128, which is another point's.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn powers_of(point: u128) -> [u128; 4] {
    let root = _mm512_castsi128_si512(block_of(point));
    let mut power = root;
    let mut powers = [0; 4];
    for place in powers.iter_mut().rev() {
        *place = number_of(_mm512_castsi512_si128(power));
        power = reduced(products(power, root));
    }
    powers
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn block_of(number: u128) -> __m128i {
    _mm_set_epi64x((number >> 64) as i64, number as i64)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn number_of(block: __m128i) -> u128 {
    let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(block, block));
    u128::from(high as u64) << 64 | u128::from(_mm_cvtsi128_si64(block) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// a·b / x^128 modulo x^128 + x^127 + x^126 + x^121 + 1, bit by bit.
    fn product(a: u128, b: u128) -> u128 {
        let mut sum = 0u128;
        for bit in 0..128 {
            if b >> bit & 1 == 1 {
                sum ^= a;
            }
            // Divided by x: the polynomial is added where there is a remainder.
            let remainder = sum & 1;
            sum >>= 1;
            if remainder == 1 {
                sum ^= 1 << 127 | 1 << 126 | 1 << 125 | 1 << 120;
            }
        }
        sum
    }

    fn plain_polynomial(point: u128, blocks: &[u128]) -> u128 {
        blocks
            .iter()
            .fold(0, |sum, block| product(sum ^ block, point))
    }

    proptest! {
        #[test]
        fn what_four_lanes_compute_is_the_polynomial(
            point: u128, first: u128, second: u128, third: [u8; 16], fourth: [u8; 16],
            rest in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let Some(secret) = TableHash::new(point, [1, 2]) else { return Ok(()) };
            let mut padded = rest.clone();
            padded.resize(rest.len().next_multiple_of(VECTOR_BYTES), 0);
            let mut blocks = vec![first, second, u128::from_le_bytes(third), u128::from_le_bytes(fourth)];
            blocks.extend(padded.as_chunks().0.iter().map(|block| u128::from_le_bytes(*block)));

            // SAFETY: there is a `TableHash`, hence every feature.
            let sum = unsafe {
                number_of(polynomial(&secret, first, second, &third, &fourth, &rest))
            };

            prop_assert_eq!(sum, plain_polynomial(point, &blocks));
        }
    }

    #[test]
    fn every_secret_counts() {
        let hashes: Vec<_> = [(1, [2, 3]), (4, [2, 3]), (1, [4, 3]), (1, [2, 4])]
            .into_iter()
            .filter_map(|(point, rounds)| TableHash::new(point, rounds))
            .map(|secret| secret.hash([5, 6], [&[7; 16], &[8; 16]], b"rest"))
            .collect();

        for (number, one) in hashes.iter().enumerate() {
            assert!(!hashes[..number].contains(one));
        }
    }

    /// Inputs that differ in a few bits, as connections that somebody counts up, fill a table like random ones.
    #[test]
    fn neighbours_do_not_gather() {
        const SLOTS: usize = 1 << 12;
        let Some(secret) = TableHash::new(1 << 100 | 12_345, [1 << 77, 1 << 33]) else {
            return;
        };
        let mut counts = vec![0; SLOTS];

        for number in 0..SLOTS as u128 {
            let hash = secret.hash([0, number << 20], [&[0; 16], &[0; 16]], b"");
            counts[hash as usize % SLOTS] += 1;
        }

        let empty = counts.iter().filter(|count| **count == 0).count();
        assert!(
            (SLOTS * 33 / 100..SLOTS * 41 / 100).contains(&empty),
            "{empty}: 1/e of all"
        );
        assert!(counts.iter().all(|count| *count < 12));
    }
}

//! Four blocks with each instruction: AVX-512 with VAES and VPCLMULQDQ.
//!
//! ```text
//! message:    │ 64 bytes │ 64 bytes │ … │ up to 48 bytes │
//! keystream:  │ 2 3 4 5  │ 6 7 8 9  │ … │ n n+1 n+2      │ 1 │   block 1 masks the tag
//! hash:       X = X·H⁴ + c, lane by lane, …; then all lanes, the rest and the lengths at once
//! ```
//! So 48 bytes take one vector through AES and 64 or 112 take two, side by side. GHASH is computed in four
//! lanes, each a polynomial in H⁴; at the end lane 0 is multiplied with the highest power of H and lane 3
//! with the lowest. Blocks are held with their bytes reversed and H multiplied by x beforehand, so that a
//! product needs no shift; products are summed before they are reduced (Gueron, Kounavis: "Intel Carry-Less
//! Multiplication Instruction and its Usage for Computing the GCM Mode", 2014).

use core::arch::x86_64::*;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::field::{plus, products, reduced, sum_of_lanes, times_x};
use crate::{KEY_BYTES, TAG_BYTES};

const BLOCK_BYTES: usize = 16;
const VECTOR_BYTES: usize = 64;
/// What the last step takes beside the block of the tag.
const REST_BYTES: usize = VECTOR_BYTES - BLOCK_BYTES;
/// Powers of H that are kept: four lanes, four blocks ahead.
const POWERS: usize = 8;
/// The lane of the tag's block, as a mask of its quadwords.
const LAST_LANE: __mmask8 = 0b1100_0000;
/// The same of its doublewords.
const LAST_LANE_WORDS: __mmask16 = 0xf000;

/// Powers of H and round keys: all that sealing and opening need.
#[repr(C)]
pub(crate) struct Schedule {
    /// From the highest to H itself. In front: who loads the last of them as a vector reaches into what comes
    /// behind, and would wait for it if that were another key, in a cache line that nobody asked for.
    powers: [__m128i; POWERS],
    rounds: [__m128i; 15],
}

impl Schedule {
    /// Expand a key; `None` where the processor lacks what this needs.
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Option<Self> {
        // SAFETY: the processor has every feature that `expand` enables.
        is_able().then(|| unsafe { expand(key) })
    }

    /// Encrypt in place; returns the tag.
    #[inline]
    pub(crate) fn seal(&self, nonce: u128, associated: &[u8], plain: &mut [u8]) -> [u8; TAG_BYTES] {
        // SAFETY: there is a `Schedule` only where the processor has every feature that `seal` enables.
        unsafe { seal(self, nonce, associated, plain) }
    }

    /// Decrypt in place; false, and nothing but zeros, when `tag` is not the one.
    #[inline]
    #[must_use]
    pub(crate) fn open(
        &self,
        nonce: u128,
        associated: &[u8],
        sealed: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> bool {
        // SAFETY: there is a `Schedule` only where the processor has every feature that `open` enables.
        unsafe { open(self, nonce, associated, sealed, tag) }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        for block in self.rounds.iter_mut().chain(&mut self.powers) {
            // SAFETY: a reference to a value that needs no drop; volatile so that the write is not left out.
            unsafe { core::ptr::write_volatile(block, core::mem::zeroed()) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}

/// Whether the processor has every feature that is enabled here and in `field` and `table_hash`.
pub(crate) fn is_able() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("vaes")
        && is_x86_feature_detected!("vpclmulqdq")
        && is_x86_feature_detected!("aes")
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn seal(schedule: &Schedule, nonce: u128, associated: &[u8], plain: &mut [u8]) -> [u8; TAG_BYTES] {
    let mut tag = [0; TAG_BYTES];
    store_tag(&mut tag, walk::<true>(schedule, nonce, associated, plain));
    tag
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn open(
    schedule: &Schedule,
    nonce: u128,
    associated: &[u8],
    sealed: &mut [u8],
    tag: &[u8; TAG_BYTES],
) -> bool {
    let expected = walk::<false>(schedule, nonce, associated, sealed);
    let difference = _mm_xor_si128(expected, load_block(tag));
    let is_right = _mm_test_all_zeros(difference, difference) == 1;
    if !is_right {
        sealed.fill(0);
    }
    is_right
}

/// Go through a message once: encrypt or decrypt it in place and return its tag.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn walk<const IS_SEALING: bool>(
    schedule: &Schedule,
    nonce: u128,
    associated: &[u8],
    data: &mut [u8],
) -> __m128i {
    let bits = |bytes: usize| (bytes as i64) << 3;
    let lengths = _mm_set_epi64x(bits(associated.len()), bits(data.len()));
    let first = first_block(nonce);
    let mut counters = _mm512_add_epi32(first, numbers(2, 3, 4, 5));
    let mut hash = hash_associated(schedule, associated);
    let [high, _, _, _, low, ..] = schedule.powers;
    let (high, low) = (_mm512_broadcast_i32x4(high), _mm512_broadcast_i32x4(low));

    let (pairs, mut rest) = data.as_chunks_mut::<{ 2 * VECTOR_BYTES }>();
    for pair in pairs {
        let next = _mm512_add_epi32(counters, numbers(4, 4, 4, 4));
        let [stream, next_stream] = keystream(schedule, [counters, next]);
        counters = _mm512_add_epi32(next, numbers(4, 4, 4, 4));
        let ([one, two], _) = pair.as_chunks_mut::<VECTOR_BYTES>() else {
            unreachable!("a pair is two");
        };
        let one = cross::<IS_SEALING>(one, stream);
        let two = cross::<IS_SEALING>(two, next_stream);
        let sum = plus(products(hash, high), products(one, low));
        hash = _mm512_xor_si512(two, reduced(sum));
    }
    while rest.len() > REST_BYTES {
        let (vector, after) = rest.split_at_mut(rest.len().min(VECTOR_BYTES));
        let [stream] = keystream(schedule, [counters]);
        counters = _mm512_add_epi32(counters, numbers(4, 4, 4, 4));
        let cipher = cross::<IS_SEALING>(vector, stream);
        hash = _mm512_xor_si512(cipher, reduced(products(hash, low)));
        rest = after;
    }

    let one = _mm512_add_epi32(first, numbers(1, 1, 1, 1));
    let [stream] = keystream(schedule, [_mm512_mask_mov_epi64(counters, LAST_LANE, one)]);
    let cipher = cross::<IS_SEALING>(rest, stream);
    // The lengths come right behind the last block.
    let blocks = rest.len().div_ceil(BLOCK_BYTES);
    let last = _mm512_mask_mov_epi64(
        cipher,
        0b11 << (2 * blocks),
        _mm512_broadcast_i32x4(lengths),
    );
    let before = products(hash, powers_from(schedule, blocks + 5));
    let sum = plus(before, products(last, powers_from(schedule, blocks + 1)));
    let tag = _mm_shuffle_epi8(
        sum_of_lanes(reduced(sum)),
        _mm512_castsi512_si128(reversal()),
    );
    _mm_xor_si128(tag, _mm512_extracti32x4_epi32::<3>(stream))
}

/// Encrypt or decrypt up to 64 bytes in place; returns the ciphertext for the hash, zeros behind it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn cross<const IS_SEALING: bool>(bytes: &mut [u8], stream: __m512i) -> __m512i {
    let text = load(bytes);
    let other = _mm512_maskz_mov_epi8(mask(bytes.len()), _mm512_xor_si512(text, stream));
    store(bytes, other);
    reversed(if IS_SEALING { other } else { text })
}

/// Hash of the associated data, in the last lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn hash_associated(schedule: &Schedule, associated: &[u8]) -> __m512i {
    let [.., power] = schedule.powers;
    let mut hash = _mm512_setzero_si512();
    for (number, block) in associated.chunks(BLOCK_BYTES).enumerate() {
        if number > 0 {
            hash = reduced(products(hash, _mm512_broadcast_i32x4(power)));
        }
        let block = _mm512_maskz_broadcast_i32x4(LAST_LANE_WORDS, load_block(block));
        hash = _mm512_xor_si512(hash, reversed(block));
    }
    hash
}

/// Four blocks of keystream for each vector of block numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn keystream<const N: usize>(schedule: &Schedule, mut blocks: [__m512i; N]) -> [__m512i; N] {
    let [first, middle @ .., last] = &schedule.rounds;
    for block in &mut blocks {
        *block = _mm512_xor_si512(reversed(*block), _mm512_broadcast_i32x4(*first));
    }
    for round in middle {
        for block in &mut blocks {
            *block = _mm512_aesenc_epi128(*block, _mm512_broadcast_i32x4(*round));
        }
    }
    for block in &mut blocks {
        *block = _mm512_aesenclast_epi128(*block, _mm512_broadcast_i32x4(*last));
    }
    blocks
}

/// In each lane block 0 of a nonce, its bytes reversed: the number of the block is the first 32 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn first_block(nonce: u128) -> __m512i {
    let reversed = nonce.swap_bytes();
    _mm512_broadcast_i32x4(_mm_set_epi64x((reversed >> 64) as i64, reversed as i64))
}

/// Four numbers to add to those of blocks.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn numbers(a: i64, b: i64, c: i64, d: i64) -> __m512i {
    _mm512_set_epi64(0, d, 0, c, 0, b, 0, a)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn reversal() -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f))
}

/// Each block with its bytes in reverse order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn reversed(blocks: __m512i) -> __m512i {
    _mm512_shuffle_epi8(blocks, reversal())
}

// -- the schedule ---------------------------------------------------------------------------------

#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn expand(key: &[u8; KEY_BYTES]) -> Schedule {
    let (low, high) = key.split_at(BLOCK_BYTES);
    let (mut before, mut newest) = (load_block(low), load_block(high));
    let mut rounds = [_mm_setzero_si128(); 15];
    let mut constant = 1;
    for (number, round) in rounds.iter_mut().enumerate() {
        *round = before;
        let next = if number % 2 == 0 {
            let word = _mm_shuffle_epi8(newest, _mm_set1_epi32(0x0c0f_0e0d));
            let word = _mm_aesenclast_si128(word, _mm_set1_epi32(constant));
            constant <<= 1;
            word
        } else {
            _mm_aesenclast_si128(_mm_shuffle_epi32::<0xff>(newest), _mm_setzero_si128())
        };
        let once = _mm_xor_si128(before, _mm_slli_si128::<4>(before));
        let twice = _mm_xor_si128(once, _mm_slli_si128::<8>(once));
        (before, newest) = (newest, _mm_xor_si128(twice, next));
    }
    let mut schedule = Schedule {
        powers: [_mm_setzero_si128(); POWERS],
        rounds,
    };
    let [zeros] = keystream(&schedule, [_mm512_setzero_si512()]);
    let root = _mm512_broadcast_i32x4(times_x(_mm512_castsi512_si128(reversed(zeros))));
    let mut power = root;
    for place in schedule.powers.iter_mut().rev() {
        *place = _mm512_castsi512_si128(power);
        power = reduced(products(power, root));
    }
    schedule
}

// -- between memory and registers -----------------------------------------------------------------

/// The lowest `count` bits.
#[inline]
fn mask(count: usize) -> u64 {
    u64::MAX.checked_shr(64 - count as u32).unwrap_or(0)
}

/// Up to 64 bytes, zeros behind them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
pub(crate) fn load(bytes: &[u8]) -> __m512i {
    // SAFETY: the mask leaves out what is behind the slice.
    unsafe { _mm512_maskz_loadu_epi8(mask(bytes.len()), bytes.as_ptr().cast()) }
}

/// Fill up to 64 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn store(bytes: &mut [u8], vector: __m512i) {
    // SAFETY: the mask leaves out what is behind the slice.
    unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), mask(bytes.len()), vector) }
}

/// Up to 16 bytes, zeros behind them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn load_block(bytes: &[u8]) -> __m128i {
    // SAFETY: the mask leaves out what is behind the slice.
    unsafe { _mm_maskz_loadu_epi8(mask(bytes.len()) as u16, bytes.as_ptr().cast()) }
}

/// Write a tag.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn store_tag(tag: &mut [u8; TAG_BYTES], block: __m128i) {
    // SAFETY: the array is as long as the block.
    unsafe { _mm_storeu_si128(tag.as_mut_ptr().cast(), block) };
}

/// Four powers of H, from this one down to H itself; zeros behind it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn powers_from(schedule: &Schedule, highest: usize) -> __m512i {
    let powers = schedule.powers.as_slice();
    let powers = powers.get(POWERS - highest..).unwrap_or(&[]);
    let bits = mask(2 * powers.len().min(4)) as u8;
    // SAFETY: the mask leaves out what is behind the slice.
    unsafe { _mm512_maskz_loadu_epi64(bits, powers.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn a_vector_of_powers_does_not_reach_out_of_its_schedule() {
        let last = offset_of!(Schedule, powers) + (POWERS - 1) * BLOCK_BYTES;
        assert!(last + VECTOR_BYTES <= size_of::<Schedule>());
    }
}

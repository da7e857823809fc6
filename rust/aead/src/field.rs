//! The field of GHASH, four products with each instruction.

use core::arch::x86_64::*;

/// x^128 + x^127 + x^126 + x^121 + 1 without its ends: that of GHASH in reversed order.
const POLYNOMIAL: i64 = 0xc2 << 56;

/// Products of polynomials that are not reduced yet, in four lanes.
pub(crate) struct Products {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
pub(crate) fn products(a: __m512i, b: __m512i) -> Products {
    Products {
        low: _mm512_clmulepi64_epi128::<0x00>(a, b),
        middle: _mm512_xor_si512(
            _mm512_clmulepi64_epi128::<0x01>(a, b),
            _mm512_clmulepi64_epi128::<0x10>(a, b),
        ),
        high: _mm512_clmulepi64_epi128::<0x11>(a, b),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
pub(crate) fn plus(a: Products, b: Products) -> Products {
    Products {
        low: _mm512_xor_si512(a.low, b.low),
        middle: _mm512_xor_si512(a.middle, b.middle),
        high: _mm512_xor_si512(a.high, b.high),
    }
}

/// Modulo x^128 + x^7 + x^2 + x + 1, 64 bits at a time from below.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
pub(crate) fn reduced(products: Products) -> __m512i {
    let Products { low, middle, high } = products;
    let middle = folded_half(low, middle);
    folded_half(middle, high)
}

/// The lower half of `low` times the polynomial, added to what is 64 bits above.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
fn folded_half(low: __m512i, above: __m512i) -> __m512i {
    const XOR: i32 = 0x96;
    let polynomial = _mm512_broadcast_i32x4(_mm_set_epi64x(0, POLYNOMIAL));
    let product = _mm512_clmulepi64_epi128::<0x00>(low, polynomial);
    _mm512_ternarylogic_epi64::<XOR>(_mm512_shuffle_epi32::<0x4e>(low), product, above)
}

/// The sum of the four lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
pub(crate) fn sum_of_lanes(lanes: __m512i) -> __m128i {
    let halves = _mm256_xor_si256(
        _mm512_castsi512_si256(lanes),
        _mm512_extracti64x4_epi64::<1>(lanes),
    );
    _mm_xor_si128(
        _mm256_castsi256_si128(halves),
        _mm256_extracti128_si256::<1>(halves),
    )
}

/// A polynomial times x, in the reversed order of GHASH.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vaes,vpclmulqdq,aes")]
pub(crate) fn times_x(polynomial: __m128i) -> __m128i {
    let signs = _mm_srai_epi32::<31>(polynomial);
    // The top bit as a mask of all, and that of the lower half as bit 64.
    let overflow = _mm_shuffle_epi32::<0xff>(signs);
    let carry = _mm_slli_si128::<8>(_mm_srli_epi64::<63>(polynomial));
    let doubled = _mm_or_si128(_mm_add_epi64(polynomial, polynomial), carry);
    _mm_xor_si128(
        doubled,
        _mm_and_si128(overflow, _mm_set_epi64x(POLYNOMIAL, 1)),
    )
}

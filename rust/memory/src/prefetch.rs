//! Reading ahead: a value's cache lines are asked for, and nobody waits for them.

use std::ops::Range;

/// Bytes of a cache line.
pub const LINE_BYTES: usize = 64;

// Into the second level. The first has room for few requests at a time: of a pipe's twenty lines most would
// be dropped.

/// Ask for all cache lines of `value`. It changes nothing but the time that reading takes later; where the
/// processor knows no such order, nothing happens.
#[inline(always)]
pub fn prefetch<T: ?Sized>(value: &T) {
    prefetch_part(value, 0..size_of_val(value));
}

/// The same for some of its bytes.
#[inline(always)]
pub(crate) fn prefetch_part<T: ?Sized>(value: &T, bytes: Range<usize>) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    let into_line = match align_of_val(value) {
        LINE_BYTES.. => bytes.start % LINE_BYTES,
        _ => start.wrapping_add(bytes.start).addr() % LINE_BYTES,
    };
    let first = start.wrapping_add(bytes.start).wrapping_sub(into_line);
    for offset in (0..into_line + bytes.len()).step_by(LINE_BYTES) {
        line(first.wrapping_add(offset));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn line(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
    // SAFETY: a prefetch is a hint: it reads nothing that the program sees and never faults, whatever the
    // address; SSE, which it needs, is part of every x86_64.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn line(_address: *const u8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ahead_changes_nothing() {
        let values = [7u64; 100];

        prefetch(&values);
        prefetch(&values[40..]);
        prefetch::<[u64]>(&[]);

        assert_eq!(values, [7; 100]);
    }
}

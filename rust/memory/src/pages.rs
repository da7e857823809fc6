//! Pages of 2 MiB instead of 4 KiB: fewer translations of addresses to be waited for.

/// Allocations below this have hardly a whole huge page in them.
const LEAST_BYTES: usize = 4 << 20;

/// Ask the kernel to keep the memory of `values`, as far as it is not in use yet, in huge pages. A hint: small
/// allocations are left alone, and where the kernel has none to give all is as before.
#[cfg(target_os = "linux")]
pub fn ask_for_huge_pages<T>(values: &[T]) {
    use rustix::mm::{Advice, madvise};

    let bytes = size_of_val(values);
    if bytes < LEAST_BYTES {
        return;
    }
    let page_bytes = rustix::param::page_size();
    let start = values.as_ptr().cast::<u8>();
    let into_page = start.addr().next_multiple_of(page_bytes) - start.addr();
    let first = start.wrapping_add(into_page);
    let whole = (bytes - into_page) / page_bytes * page_bytes;
    // SAFETY: the range lies within `values`; the advice changes neither what is in it nor whether it may be
    // read and written.
    let _ = unsafe { madvise(first.cast_mut().cast(), whole, Advice::LinuxHugepage) };
}

/// The same where there are none to ask for.
#[cfg(not(target_os = "linux"))]
pub fn ask_for_huge_pages<T>(_values: &[T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_changes_nothing_of_what_is_there() {
        let values = vec![7u8; 2 * LEAST_BYTES];

        ask_for_huge_pages(&values);
        ask_for_huge_pages::<u64>(&[]);

        assert!(values.iter().all(|value| *value == 7));
    }
}

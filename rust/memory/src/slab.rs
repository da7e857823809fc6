//! Values by number, side by side in few large allocations.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::pages::ask_for_huge_pages;
use crate::prefetch::prefetch_part;

/// Values of a full-grown block: megabytes, so that most of it lies in huge pages.
const BLOCK_BITS: u32 = 13;
const WORD_BITS: u32 = u64::BITS;

/// A table of values by dense numbers. Where a value lies follows from its number alone, and it stays there:
/// growing adds a block, each twice as large as the one before, up to 8,192 values. What was taken out leaves
/// its place to the next value of that number; memory is given back with the table.
pub struct Slab<T> {
    blocks: Vec<Box<[MaybeUninit<T>]>>,
    /// A bit for each number that has a value. Apart, so that asking is not waiting for the value.
    taken: Vec<u64>,
    places: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            taken: Vec::new(),
            places: 0,
        }
    }
}

impl<T> Slab<T> {
    /// The value of a number.
    #[inline]
    pub fn get(&self, number: u32) -> Option<&T> {
        let place = self.place(number).filter(|_| self.has(number))?;
        // SAFETY: a bit of `taken` is set only while its place holds a value.
        Some(unsafe { place.assume_init_ref() })
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        if !self.has(number) {
            return None;
        }
        let (block, at) = split(number);
        let place = self.blocks.get_mut(block)?.get_mut(at)?;
        // SAFETY: as in `get`.
        Some(unsafe { place.assume_init_mut() })
    }

    /// Ask for some bytes of a value, if there is one, without waiting for them.
    #[inline]
    pub fn fetch(&self, number: u32, bytes: Range<usize>) {
        if let Some(place) = self.place(number) {
            prefetch_part(place, bytes);
        }
    }

    /// Put a value at a number, in place of what is there.
    pub fn put(&mut self, number: u32, value: T) {
        self.remove(number);
        let (block, at) = split(number);
        while self.blocks.len() <= block {
            let bits = (self.blocks.len() as u32).min(BLOCK_BITS);
            let fresh = Box::new_uninit_slice(1 << bits);
            ask_for_huge_pages(&fresh);
            self.blocks.push(fresh);
        }
        let word = (number / WORD_BITS) as usize;
        if self.taken.len() <= word {
            self.taken.resize(word + 1, 0);
        }
        let place = self
            .blocks
            .get_mut(block)
            .and_then(|block| block.get_mut(at));
        if let (Some(place), Some(bits)) = (place, self.taken.get_mut(word)) {
            place.write(value);
            *bits |= bit(number);
        }
        self.places = self.places.max(number.saturating_add(1));
    }

    /// Drop the value of a number where it lies, so that what it wipes as it goes is wiped in this place; return
    /// whether there was one.
    pub fn remove(&mut self, number: u32) -> bool {
        if !self.has(number) {
            return false;
        }
        let (block, at) = split(number);
        let place = self
            .blocks
            .get_mut(block)
            .and_then(|block| block.get_mut(at));
        let bits = self.taken.get_mut((number / WORD_BITS) as usize);
        let (Some(place), Some(bits)) = (place, bits) else {
            return false;
        };
        *bits &= !bit(number);
        // SAFETY: as in `get`; its bit is cleared, so that nobody reads or drops it again.
        unsafe { place.assume_init_drop() };
        true
    }

    /// One more than the highest number that ever had a value.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// All values with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.places).filter_map(|number| Some((number, self.get(number)?)))
    }

    #[inline]
    fn place(&self, number: u32) -> Option<&MaybeUninit<T>> {
        let (block, at) = split(number);
        self.blocks.get(block)?.get(at)
    }

    #[inline]
    fn has(&self, number: u32) -> bool {
        let word = self.taken.get((number / WORD_BITS) as usize);
        word.is_some_and(|bits| bits & bit(number) != 0)
    }
}

impl<T> Drop for Slab<T> {
    fn drop(&mut self) {
        for number in 0..self.places {
            self.remove(number);
        }
    }
}

#[inline]
const fn bit(number: u32) -> u64 {
    1 << (number % WORD_BITS)
}

/// The block of a number, and its place in it.
#[inline]
fn split(number: u32) -> (usize, usize) {
    let from_one = u64::from(number) + 1;
    if from_one >> BLOCK_BITS == 0 {
        let block = from_one.ilog2();
        return (block as usize, (from_one - (1 << block)) as usize);
    }
    let whole = from_one >> BLOCK_BITS;
    let within = from_one & ((1 << BLOCK_BITS) - 1);
    (BLOCK_BITS as usize + whole as usize - 1, within as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn numbers_lie_one_behind_the_other() {
        let mut expected = (0, 0);
        for number in 0..100_000 {
            assert_eq!(split(number), expected, "{number}");
            expected.1 += 1;
            if expected.1 == 1 << expected.0.min(BLOCK_BITS as usize) {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn what_was_put_is_there_until_it_is_removed() {
        let mut slab = Slab::default();
        for number in [0, 5, 1, 20_000] {
            slab.put(number, number * 2);
        }

        assert_eq!(slab.get(5), Some(&10));
        assert!(slab.remove(5));

        assert!(!slab.remove(5));
        assert_eq!((slab.get(5), slab.get(20_001)), (None, None));
        assert_eq!(slab.places(), 20_001);
        assert_eq!(slab.get_mut(20_000).copied(), Some(40_000));
        let all: Vec<_> = slab.iter().collect();
        assert_eq!(all, [(0, &0), (1, &2), (20_000, &40_000)]);
    }

    #[test]
    fn every_value_is_dropped_once() {
        let value = Rc::new(());
        let mut slab = Slab::default();
        for number in 0..100 {
            slab.put(number, Rc::clone(&value));
        }

        slab.put(7, Rc::clone(&value));
        slab.remove(8);
        assert_eq!(Rc::strong_count(&value), 100);

        drop(slab);
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn asking_for_what_is_not_there_does_nothing() {
        let mut slab = Slab::default();
        slab.put(0, [0u8; 300]);

        for number in [0, 1, u32::MAX] {
            slab.fetch(number, 100..300);
        }

        assert_eq!(slab.places(), 1);
    }
}

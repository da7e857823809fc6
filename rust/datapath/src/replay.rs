//! Which counters were seen: each is accepted once, in any order, within a window (RFC 6479).
//!
//! The word of the newest counter lies apart from the ring of the older ones: who comes in order needs 24 bytes,
//! which lie with what else a packet needs.

use std::fmt;

/// Counters behind the newest that are still told apart.
pub const WINDOW_PACKETS: u64 = 2_048;

const WORD_BITS: u64 = u64::BITS as u64;
/// One word more than the window needs, so that a word can be cleared before it is half in use.
const WORDS: u64 = WINDOW_PACKETS / WORD_BITS + 1;

/// The replay window of one lane. 24 bytes, and 264 elsewhere.
#[derive(Clone)]
pub struct ReplayWindow {
    /// One more than the highest counter accepted.
    next: u64,
    /// The word of the highest counter: one bit per counter.
    newest: u64,
    /// Ring of the words before it. What is in the place of the newest is of no account.
    older: Box<[u64; WORDS as usize]>,
}

impl ReplayWindow {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            next: 0,
            newest: 0,
            older: Box::new([0; WORDS as usize]),
        }
    }

    /// Whether `accept` may be called for `counter`: neither seen nor older than the window.
    #[inline]
    pub fn is_fresh(&self, counter: u64) -> bool {
        if counter >= self.next {
            return true;
        }
        if self.next - counter > WINDOW_PACKETS {
            return false;
        }
        let seen = match counter / WORD_BITS == self.newest_word() {
            true => self.newest,
            false => self.older_word(counter / WORD_BITS),
        };
        seen & bit(counter) == 0
    }

    /// Remember `counter`, whose packet was verified. Only after `is_fresh`, and never for `u64::MAX`.
    #[inline]
    pub fn accept(&mut self, counter: u64) {
        let word = counter / WORD_BITS;
        if counter >= self.next {
            if word != self.newest_word() {
                self.begin_word(word);
            }
            self.next = counter.saturating_add(1);
            self.newest |= bit(counter);
        } else if word == self.newest_word() {
            self.newest |= bit(counter);
        } else if let Some(seen) = self.older.get_mut(ring_index(word)) {
            *seen |= bit(counter);
        }
    }

    /// Whether `counter` is newer than all that were accepted.
    #[inline]
    pub fn is_newest(&self, counter: u64) -> bool {
        counter >= self.next
    }

    #[inline]
    fn newest_word(&self) -> u64 {
        self.next.saturating_sub(1) / WORD_BITS
    }

    #[inline]
    fn older_word(&self, word: u64) -> u64 {
        self.older
            .get(ring_index(word))
            .copied()
            .unwrap_or(u64::MAX)
    }

    /// The newest word joins the older ones; of those between it and this one nothing was seen.
    fn begin_word(&mut self, word: u64) {
        let before = self.newest_word();
        let skipped = (word - before - 1).min(WORDS);
        let empty = (0..skipped).map(|step| (word - 1 - step, 0));
        for (word, seen) in std::iter::once((before, self.newest)).chain(empty) {
            if let Some(place) = self.older.get_mut(ring_index(word)) {
                *place = seen;
            }
        }
        self.newest = 0;
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ReplayWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ReplayWindow(next {})", self.next)
    }
}

#[inline]
fn ring_index(word: u64) -> usize {
    (word % WORDS) as usize
}

#[inline]
fn bit(counter: u64) -> u64 {
    1 << (counter % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn offer(window: &mut ReplayWindow, counter: u64) -> bool {
        let is_fresh = window.is_fresh(counter);
        if is_fresh {
            window.accept(counter);
        }
        is_fresh
    }

    #[test]
    fn each_counter_is_accepted_once() {
        let mut window = ReplayWindow::new();

        for counter in 0..5_000 {
            assert!(offer(&mut window, counter));
            assert!(!offer(&mut window, counter));
        }
    }

    #[test]
    fn the_window_ends_exactly_where_it_says() {
        let mut window = ReplayWindow::new();
        assert!(offer(&mut window, 10_000));

        assert!(!window.is_fresh(10_001 - WINDOW_PACKETS - 1));
        assert!(window.is_fresh(10_001 - WINDOW_PACKETS));
    }

    #[test]
    fn a_big_jump_forgets_all_before_it() {
        let mut window = ReplayWindow::new();
        for counter in 0..3_000 {
            assert!(offer(&mut window, counter));
        }
        assert!(offer(&mut window, 1 << 40));

        assert!(!window.is_fresh(2_999));
        assert!(window.is_fresh((1 << 40) - 1));
    }

    #[test]
    fn the_first_counter_may_be_any() {
        let mut window = ReplayWindow::new();

        assert!(offer(&mut window, 700));
        assert!(offer(&mut window, 0));
        assert!(!offer(&mut window, 0));
    }

    proptest! {
        /// A6: the ring of bits against a plain set of what was accepted.
        #[test]
        fn a6_any_order_and_duplication_is_as_the_model_says(
            steps in proptest::collection::vec((0u64..6_000, 0u64..3), 1..600),
        ) {
            let mut window = ReplayWindow::new();
            let mut accepted = HashSet::new();
            let mut newest: Option<u64> = None;
            let mut base = 0;
            for (step, kind) in steps {
                // Mostly near the newest, now and then a jump ahead.
                let counter = match kind {
                    0 => base + step / 64,
                    1 => base.saturating_sub(step),
                    _ => base + step,
                };
                base = base.max(counter);
                let is_behind = newest.is_some_and(|newest| counter + WINDOW_PACKETS <= newest);
                let expected = !is_behind && !accepted.contains(&counter);

                prop_assert_eq!(offer(&mut window, counter), expected);

                if expected {
                    accepted.insert(counter);
                    newest = newest.max(Some(counter));
                }
            }
        }
    }
}

//! One direction of a link between two sockets.

use crate::chance::{Chance, CopyDraw, Draw, Probability, uniform};
use crate::rate::Rate;

const LONGEST_DELAY_S: f64 = 3_600.0;

/// What a link does to datagrams. The default does nothing at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairments {
    /// From the last bit sent to its arrival, 0 to 3,600 s.
    pub delay_s: f64,
    /// Most that is added to the delay, uniformly, 0 to 3,600 s. Later datagrams may overtake.
    pub jitter_s: f64,
    /// Probability 0 to 1 that a datagram is lost after it took its share of the rate.
    pub loss: f64,
    /// Probability 0 to 1 that a second copy arrives, with a jitter of its own.
    pub duplicate: f64,
    /// Probability 0 to 1 that a copy arrives with one bit flipped.
    pub corrupt: f64,
    /// Probability 0 to 1 that a datagram skips delay and jitter, and so overtakes.
    pub reorder: f64,
    /// Bits per second of datagram plus 28 B of IP and UDP headers; 0 is unlimited.
    pub rate_bps: u64,
    /// Most that waits for the rate, headers included; what comes then is lost.
    pub queue_bytes: u64,
}

impl Default for Impairments {
    fn default() -> Self {
        Self {
            delay_s: 0.0,
            jitter_s: 0.0,
            loss: 0.0,
            duplicate: 0.0,
            corrupt: 0.0,
            reorder: 0.0,
            rate_bps: 0,
            queue_bytes: 262_144,
        }
    }
}

/// A setting that no link can have.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkError {
    /// Name of the field.
    pub field: &'static str,
    /// What was asked for.
    pub seen: f64,
    /// Largest allowed value; the smallest is 0.
    pub most: f64,
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} of {} is not within 0 to {}",
            self.field, self.seen, self.most
        )
    }
}

impl std::error::Error for LinkError {}

/// One copy of a datagram at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at_ns: u64,
    /// Which bit of it is wrong, counted from the first byte's lowest.
    pub flipped_bit: Option<usize>,
}

impl Arrival {
    /// Flip the wrong bit, if there is one.
    pub fn apply(&self, datagram: &mut [u8]) {
        if let Some(bit) = self.flipped_bit
            && let Some(byte) = datagram.get_mut(bit / 8)
        {
            *byte ^= 1 << (bit % 8);
        }
    }
}

/// The copies of one datagram at the far end: none, one or two.
pub type Arrivals = [Option<Arrival>; 2];

/// What a link did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams put in.
    pub offered: u64,
    /// Copies that come out.
    pub delivered: u64,
    /// Datagrams of which nothing comes out.
    pub lost: u64,
    /// Datagrams that come out twice.
    pub duplicated: u64,
    /// Copies with a flipped bit.
    pub corrupted: u64,
    /// Datagrams that skip the delay.
    pub reordered: u64,
    /// Bytes of the copies that come out, without headers.
    pub bytes: u64,
}

/// A seeded model of one direction: the same seed and offers give the same arrivals.
#[derive(Clone, Debug)]
pub struct Link {
    /// While set, everything is lost.
    pub is_cut: bool,
    delay_ns: u64,
    jitter_ns: u64,
    loss: Probability,
    duplicate: Probability,
    corrupt: Probability,
    reorder: Probability,
    rate: Rate,
    chance: Chance,
    counters: Counters,
}

impl Link {
    /// A link that is up.
    ///
    /// # Errors
    /// A probability outside 0 to 1, or a delay outside 0 to 3,600 s.
    pub fn new(seed: u64, impairments: &Impairments) -> Result<Self, LinkError> {
        Ok(Self {
            is_cut: false,
            delay_ns: nanoseconds("delay_s", impairments.delay_s)?,
            jitter_ns: nanoseconds("jitter_s", impairments.jitter_s)?,
            loss: probability("loss", impairments.loss)?,
            duplicate: probability("duplicate", impairments.duplicate)?,
            corrupt: probability("corrupt", impairments.corrupt)?,
            reorder: probability("reorder", impairments.reorder)?,
            rate: Rate::new(impairments.rate_bps, impairments.queue_bytes),
            chance: Chance::new(seed),
            counters: Counters::default(),
        })
    }

    /// Put in a datagram of `length` bytes; `now_ns` never decreases from one offer to the next.
    pub fn offer(&mut self, now_ns: u64, length: usize) -> Arrivals {
        let draw = self.chance.draw();
        let arrivals = self.arrivals(now_ns, length, &draw);
        self.count(length, &arrivals);
        arrivals
    }

    /// What it did since it was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn arrivals(&mut self, now_ns: u64, length: usize, draw: &Draw) -> Arrivals {
        if self.is_cut {
            return [None; 2];
        }
        let Some(sent_ns) = self.rate.transmit(now_ns, length) else {
            return [None; 2];
        };
        if self.loss.happens(draw.loss) {
            return [None; 2];
        }
        let skips_delay = self.reorder.happens(draw.reorder);
        self.counters.reordered += u64::from(skips_delay);
        let [first, second] = draw
            .copies
            .map(|copy| self.copy(sent_ns, length, skips_delay, copy));
        let is_double = self.duplicate.happens(draw.duplicate);
        [Some(first), is_double.then_some(second)]
    }

    fn copy(&self, sent_ns: u64, length: usize, skips_delay: bool, draw: CopyDraw) -> Arrival {
        let delay_ns = match skips_delay {
            true => 0,
            false => self.delay_ns + uniform(draw.jitter, self.jitter_ns),
        };
        let bits = length as u64 * 8;
        let is_corrupt = bits > 0 && self.corrupt.happens(draw.corrupt);
        Arrival {
            at_ns: sent_ns.saturating_add(delay_ns),
            flipped_bit: is_corrupt.then(|| uniform(draw.bit, bits - 1) as usize),
        }
    }

    fn count(&mut self, length: usize, arrivals: &Arrivals) {
        let copies = arrivals.iter().flatten().count() as u64;
        let corrupted = arrivals
            .iter()
            .flatten()
            .filter(|copy| copy.flipped_bit.is_some())
            .count();
        self.counters.offered += 1;
        self.counters.delivered += copies;
        self.counters.lost += u64::from(copies == 0);
        self.counters.duplicated += u64::from(copies == 2);
        self.counters.corrupted += corrupted as u64;
        self.counters.bytes += copies * length as u64;
    }
}

fn probability(field: &'static str, value: f64) -> Result<Probability, LinkError> {
    Probability::new(value).ok_or(LinkError {
        field,
        seen: value,
        most: 1.0,
    })
}

fn nanoseconds(field: &'static str, seconds: f64) -> Result<u64, LinkError> {
    if !(0.0..=LONGEST_DELAY_S).contains(&seconds) {
        return Err(LinkError {
            field,
            seen: seconds,
            most: LONGEST_DELAY_S,
        });
    }
    Ok((seconds * 1e9).round() as u64)
}

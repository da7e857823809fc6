//! A link against what probability theory says of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use ei_links::{Arrival, Impairments, Link};
use proptest::prelude::*;

const OFFERS: usize = 100_000;

fn link(impairments: Impairments) -> Link {
    Link::new(7, &impairments).unwrap()
}

/// All arrivals of `OFFERS` datagrams of 100 B, one each microsecond, with the time of their offer.
fn run(link: &mut Link) -> Vec<(u64, Arrival)> {
    let offers = (0..OFFERS as u64).map(|index| index * 1_000);
    offers
        .flat_map(|now_ns| {
            link.offer(now_ns, 100)
                .into_iter()
                .flatten()
                .map(move |it| (now_ns, it))
        })
        .collect()
}

/// Five standard deviations of a binomial count: a right model fails once in 1.7 million seeds.
fn assert_binomial(count: usize, trials: usize, probability: f64) {
    let mean = trials as f64 * probability;
    let deviation = (mean * (1.0 - probability)).sqrt();
    let distance = (count as f64 - mean).abs();
    assert!(
        distance <= 5.0 * deviation,
        "{count} of {trials} is not {probability}"
    );
}

#[test]
fn a_perfect_link_delivers_at_once_and_unchanged() {
    let arrivals = run(&mut link(Impairments::default()));

    assert_eq!(arrivals.len(), OFFERS);
    assert!(
        arrivals
            .iter()
            .all(|(now_ns, it)| it.at_ns == *now_ns && it.flipped_bit.is_none())
    );
}

#[test]
fn loss_is_binomial_and_has_no_memory() {
    let mut link = link(Impairments {
        loss: 0.3,
        ..Impairments::default()
    });
    let lost: Vec<bool> = (0..OFFERS)
        .map(|_| link.offer(0, 100)[0].is_none())
        .collect();

    let pairs = lost.windows(2).filter(|pair| pair[0] && pair[1]).count();

    assert_binomial(lost.iter().filter(|it| **it).count(), OFFERS, 0.3);
    // Pairs overlap, which widens their deviation; six of the plain one stay clear of it.
    assert!(
        (pairs as f64 / OFFERS as f64 - 0.09).abs() < 6.0 * (0.09 * 0.91 / OFFERS as f64).sqrt()
    );
}

#[test]
fn duplicates_corruption_and_reordering_are_binomial() {
    let mut link = link(Impairments {
        duplicate: 0.2,
        corrupt: 0.1,
        reorder: 0.05,
        delay_s: 0.010,
        ..Impairments::default()
    });

    let arrivals = run(&mut link);

    let early = arrivals
        .iter()
        .filter(|(now_ns, it)| it.at_ns == *now_ns)
        .count();
    let wrong = arrivals
        .iter()
        .filter(|(_, it)| it.flipped_bit.is_some())
        .count();
    let counters = link.counters();
    assert_binomial(arrivals.len() - OFFERS, OFFERS, 0.2);
    assert_binomial(wrong, arrivals.len(), 0.1);
    assert_binomial(counters.reordered as usize, OFFERS, 0.05);
    assert!(early >= counters.reordered as usize);
    assert_eq!(counters.corrupted as usize, wrong);
    assert_eq!(counters.delivered as usize, arrivals.len());
    assert_eq!(counters.duplicated as usize, arrivals.len() - OFFERS);
}

#[test]
fn jitter_is_uniform_above_the_delay() {
    let impairments = Impairments {
        delay_s: 0.020,
        jitter_s: 0.010,
        ..Impairments::default()
    };
    let arrivals = run(&mut link(impairments));
    let mut bins = [0_usize; 10];

    for (now_ns, arrival) in &arrivals {
        let extra_ns = arrival.at_ns - now_ns - 20_000_000;
        bins[(extra_ns as usize / 1_000_000).min(9)] += 1;
        assert!(extra_ns <= 10_000_000);
    }

    for count in bins {
        assert_binomial(count, OFFERS, 0.1);
    }
}

#[test]
fn corruption_flips_each_bit_equally_often() {
    let mut link = link(Impairments {
        corrupt: 1.0,
        ..Impairments::default()
    });
    let mut bits = [0_usize; 32];

    for _ in 0..OFFERS {
        let mut datagram = [0_u8; 4];
        link.offer(0, 4)[0].unwrap().apply(&mut datagram);
        bits[u32::from_le_bytes(datagram).trailing_zeros() as usize] += 1;
        assert_eq!(u32::from_le_bytes(datagram).count_ones(), 1);
    }

    for count in bits {
        assert_binomial(count, OFFERS, 1.0 / 32.0);
    }
}

#[test]
fn an_empty_datagram_has_no_bit_to_flip() {
    let mut link = link(Impairments {
        corrupt: 1.0,
        ..Impairments::default()
    });

    assert_eq!(link.offer(0, 0)[0].unwrap().flipped_bit, None);
}

#[test]
fn changing_one_impairment_leaves_the_pattern_of_loss() {
    let plain = Impairments {
        loss: 0.3,
        ..Impairments::default()
    };
    let mut one = link(plain);
    let mut other = link(Impairments {
        duplicate: 0.5,
        corrupt: 0.5,
        jitter_s: 1.0,
        ..plain
    });

    for _ in 0..1_000 {
        assert_eq!(one.offer(0, 9)[0].is_none(), other.offer(0, 9)[0].is_none());
    }
}

#[test]
fn a_cut_link_loses_everything_until_it_is_mended() {
    let mut link = link(Impairments::default());
    link.is_cut = true;
    assert_eq!(link.offer(0, 100), [None; 2]);

    link.is_cut = false;

    assert!(link.offer(1, 100)[0].is_some());
    assert_eq!(link.counters().lost, 1);
}

#[test]
fn a_setting_out_of_range_is_named() {
    let error = Link::new(
        0,
        &Impairments {
            loss: 1.5,
            ..Impairments::default()
        },
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "loss of 1.5 is not within 0 to 1");

    let error = Link::new(
        0,
        &Impairments {
            delay_s: -1.0,
            ..Impairments::default()
        },
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "delay_s of -1 is not within 0 to 3600");
}

proptest! {
    #[test]
    fn any_link_keeps_its_books_and_repeats_itself(
        seed: u64,
        chances in proptest::array::uniform4(0.0..=1.0_f64),
        delay_s in 0.0..10.0_f64,
        jitter_s in 0.0..10.0_f64,
        rate_bps in 0..1_000_000_000_u64,
        queue_bytes in 0..100_000_u64,
        offers in proptest::collection::vec((0..1_000_000_u64, 0..65_000_usize), 1..50),
    ) {
        let [loss, duplicate, corrupt, reorder] = chances;
        let impairments = Impairments {
            delay_s, jitter_s, loss, duplicate, corrupt, reorder, rate_bps, queue_bytes,
        };
        let mut link = Link::new(seed, &impairments).unwrap();
        let mut twin = Link::new(seed, &impairments).unwrap();
        let mut now_ns = 0;

        for (gap_ns, length) in offers {
            now_ns += gap_ns;
            let arrivals = link.offer(now_ns, length);
            prop_assert_eq!(arrivals, twin.offer(now_ns, length));
            prop_assert!(arrivals.iter().flatten().all(|it| it.at_ns >= now_ns));
        }

        let counters = link.counters();
        prop_assert_eq!(counters.offered + counters.duplicated, counters.delivered + counters.lost);
    }
}

//! Bytes arrive complete, in order and unchanged, over whatever the path does to payloads.
use crate::network::*;

const LAN: Impairment = Impairment {
    delay_ns: MILLISECOND_NS,
    ..Impairment::NONE
};

#[test]
fn ten_megabytes_arrive_equal() {
    let bytes = noise(1, 10_000_000);

    let received = Network::connected(LAN).transfer(ALICE, &bytes);

    assert!(received == bytes);
}

#[test]
fn the_accepting_end_sends_as_well() {
    let bytes = noise(2, 1_000_000);

    let received = Network::connected(LAN).transfer(BOB, &bytes);

    assert!(received == bytes);
}

#[test]
fn ten_megabytes_survive_loss_reordering_duplication_and_corruption() {
    let rough = Impairment {
        delay_ns: 10 * MILLISECOND_NS,
        jitter_ns: 5 * MILLISECOND_NS,
        loss: 0.02,
        corrupt: 0.01,
        duplicate: 0.02,
        ..Impairment::NONE
    };
    let bytes = noise(3, 10_000_000);

    let received = Network::connected(rough).transfer(ALICE, &bytes);

    assert!(received == bytes);
}

/// Share of the rate of `path` that a transfer of 20 MB gets.
fn share_of_rate(path: Impairment) -> f64 {
    let bytes = noise(4, 20_000_000);
    let mut network = Network::connected(path);
    let start_ns = network.now_ns;

    assert!(network.transfer(ALICE, &bytes) == bytes);

    let seconds = (network.now_ns - start_ns) as f64 / 1e9;
    bytes.len() as f64 / seconds / path.rate_bytes_per_s as f64
}

const FAST_ETHERNET: Impairment = Impairment {
    delay_ns: 10 * MILLISECOND_NS,
    rate_bytes_per_s: 12_500_000,
    queue_bytes: 256_000,
    ..Impairment::NONE
};

#[test]
fn a_transfer_fills_its_path() {
    assert!(share_of_rate(FAST_ETHERNET) > 0.85);
}

#[test]
fn a_deep_queue_is_not_filled() {
    let bytes = noise(6, 20_000_000);
    let mut network = Network::connected(Impairment {
        queue_bytes: 100_000_000,
        ..FAST_ETHERNET
    });
    let start_ns = network.now_ns;

    let received = network.transfer(ALICE, &bytes);

    assert!(received == bytes);
    let seconds = (network.now_ns - start_ns) as f64 / 1e9;
    assert!(seconds < 20.0 / 12.5 / 0.85, "{seconds}");
    let statistics = network.ends[ALICE]
        .connection_statistics(key(ALICE))
        .unwrap();
    // With the send window of 8 MiB in the queue it would be 640 ms in the end, 220 ms by now.
    assert!(statistics.rtt_ns < 150 * MILLISECOND_NS, "{statistics:?}");
}

#[test]
fn reordering_by_jitter_does_not_pass_for_loss() {
    for jitter_ms in [1, 2, 10] {
        let path = Impairment {
            jitter_ns: jitter_ms * MILLISECOND_NS,
            ..FAST_ETHERNET
        };

        let share = share_of_rate(path);

        assert!(
            share > 0.8,
            "{share} of the rate with {jitter_ms} ms of jitter"
        );
    }
}

#[test]
fn the_congestion_window_stays_within_the_send_window() {
    let mut network = Network::connected(LAN);
    let bytes = noise(5, 50_000_000);

    let received = network.transfer(ALICE, &bytes);

    assert!(received == bytes);
    let statistics = network.ends[ALICE]
        .connection_statistics(key(ALICE))
        .unwrap();
    let most = config(ALICE).send_window_bytes + 64 * 1_232;
    assert!(statistics.congestion_window_bytes <= most, "{statistics:?}");
}

#[test]
fn ten_megabytes_cross_a_path_that_is_down_for_2_s_of_each_7() {
    let path = Impairment {
        rate_bytes_per_s: 1_250_000,
        up_down_ns: (5 * SECOND_NS, 2 * SECOND_NS),
        ..FAST_ETHERNET
    };
    let bytes = noise(7, 10_000_000);
    let mut network = Network::connected(path);

    let received = network.transfer(ALICE, &bytes);

    assert!(received == bytes);
    // 8 s at the rate, with two interruptions and the time to notice that they are over.
    assert!(network.now_ns < 25 * SECOND_NS, "{}", network.now_ns);
}

//! Bytes arrive complete, in order and unchanged, over whatever the path does to payloads.
use crate::network::*;

const LAN: Impairment =
    Impairment { delay_ns: MILLISECOND_NS, jitter_ns: 0, loss: 0.0, corrupt: 0.0, duplicate: 0.0 };

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
    };
    let bytes = noise(3, 10_000_000);

    let received = Network::connected(rough).transfer(ALICE, &bytes);

    assert!(received == bytes);
}

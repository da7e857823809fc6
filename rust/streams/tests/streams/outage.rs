//! A path that goes silent under load, and what comes after.

use crate::network::{
    ALICE, BOB, Impairment, MILLISECOND_NS, Network, SECOND_NS, address, key, noise,
};

const WAY: Impairment = Impairment {
    delay_ns: 12 * MILLISECOND_NS,
    rate_bytes_per_s: 20_000_000,
    queue_bytes: 1_000_000,
    ..Impairment::NONE
};
const SILENT: Impairment = Impairment { loss: 1.0, ..WAY };

/// Alice sends to Bob as fast as she can.
struct Load {
    network: Network,
    stream: u64,
    bytes: Vec<u8>,
}

impl Load {
    fn begin() -> Self {
        let mut network = Network::connected(WAY);
        let stream = network.ends[ALICE]
            .open_stream(key(ALICE), false)
            .unwrap()
            .unwrap();
        let bytes = noise(1, 1_000_000);
        let mut load = Self {
            network,
            stream,
            bytes,
        };
        load.go_on(SECOND_NS);
        load
    }

    /// Go on for a time; return when something arrived.
    fn go_on(&mut self, duration_ns: u64) -> Vec<u64> {
        let end_ns = self.network.now_ns + duration_ns;
        let mut arrived_ns = Vec::new();
        while self.network.now_ns < end_ns {
            self.network.ends[ALICE]
                .write(key(ALICE), self.stream, &self.bytes)
                .unwrap();
            self.network.run_for(MILLISECOND_NS);
            if !self.network.read(BOB, self.stream).0.is_empty() {
                arrived_ns.push(self.network.now_ns);
            }
        }
        arrived_ns
    }
}

/// How long after the end of an outage something arrived again.
fn back_after_ns(load: &mut Load) -> u64 {
    let healed_ns = load.network.now_ns;
    let arrived_ns = load.go_on(2 * SECOND_NS);
    arrived_ns
        .first()
        .map_or(u64::MAX, |at_ns| at_ns - healed_ns)
}

#[test]
fn what_an_outage_stopped_goes_on_within_120_ms_of_its_end() {
    for outage_ms in [200, 250, 300, 400, 700] {
        let mut load = Load::begin();
        load.network.impairment = SILENT;
        load.go_on(outage_ms * MILLISECOND_NS);
        load.network.impairment = WAY;

        let took_ns = back_after_ns(&mut load);

        assert!(
            took_ns <= 120 * MILLISECOND_NS,
            "{outage_ms} ms of outage, back after {} ms",
            took_ns / MILLISECOND_NS
        );
    }
}

#[test]
fn a_changed_path_is_used_as_soon_as_it_works_also_when_the_window_was_full() {
    for late_ms in [0, 30, 100, 300] {
        let mut load = Load::begin();
        load.network.impairment = SILENT;
        load.go_on(250 * MILLISECOND_NS);
        let now_ns = load.network.now_ns;
        load.network.ends[ALICE].path_changed(now_ns, address(BOB));
        load.go_on(late_ms * MILLISECOND_NS);
        load.network.impairment = WAY;

        let took_ns = back_after_ns(&mut load);

        assert!(
            took_ns <= 120 * MILLISECOND_NS,
            "works {late_ms} ms later, back after {} ms",
            took_ns / MILLISECOND_NS
        );
    }
}

/// Twenty small payloads in all, then QUIC's own rules.
#[test]
fn a_long_silence_is_not_filled_with_questions() {
    let mut load = Load::begin();
    load.network.impairment = SILENT;
    load.go_on(2 * SECOND_NS);
    let before = load.network.log.len();

    load.network.run_for(10 * SECOND_NS);

    let sent = load.network.log.len() - before;
    assert!(sent <= 12, "{sent}");
}

/// What the receiver says of the time before is no answer to what was sent since.
#[test]
fn an_acknowledgement_of_earlier_payloads_does_not_end_the_questions() {
    let mut load = Load::begin();
    load.network.impairment = SILENT;
    load.go_on(250 * MILLISECOND_NS);
    load.network.impairment = WAY;
    let now_ns = load.network.now_ns;
    load.network.ends[BOB].path_changed(now_ns, address(ALICE));

    let took_ns = back_after_ns(&mut load);

    assert!(
        took_ns <= 120 * MILLISECOND_NS,
        "{} ms",
        took_ns / MILLISECOND_NS
    );
}

/// The first answer over a new path may be to payloads of before the outage: that is no measure of it.
#[test]
fn two_hosts_that_change_paths_at_once_go_on_at_once() {
    for first in [ALICE, BOB] {
        let mut load = Load::begin();
        load.network.impairment = SILENT;
        load.go_on(250 * MILLISECOND_NS);
        load.network.impairment = WAY;
        for end in [first, 1 - first] {
            let now_ns = load.network.now_ns;
            load.network.ends[end].path_changed(now_ns, address(1 - end));
            load.network.flush();
        }

        let took_ns = back_after_ns(&mut load);

        assert!(
            took_ns <= 70 * MILLISECOND_NS,
            "{} ms",
            took_ns / MILLISECOND_NS
        );
    }
}

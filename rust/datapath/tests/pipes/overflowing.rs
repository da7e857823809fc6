//! A flood that fills an end's socket takes the signs of life of its other peers with it: silence then
//! proves little.

use ei_datapath::pipes::PeerKind;

use crate::net::{MS, Net, SECOND};

const KINDS: [(PeerKind, PeerKind); 3] = [
    (PeerKind::Node, PeerKind::Node),
    (PeerKind::Host, PeerKind::Node),
    (PeerKind::Node, PeerKind::Host),
];

/// How soon a death is noticed all the same while silence is excused.
const EXCUSED: [((PeerKind, PeerKind), u64); 3] = [
    (KINDS[0], 700 * MS),
    (KINDS[1], 2_300 * MS),
    (KINDS[2], 2_300 * MS),
];

/// A pair whose first end loses `overflow` percent of what arrives, and notices every 5 ms.
fn flooded(kinds: (PeerKind, PeerKind), overflow: u64) -> Net {
    let mut net = Net::pair(1, kinds.0, kinds.1);
    net.connect(0, 1);
    net.run(5 * SECOND);
    net.ends[0].overflow = overflow;
    net
}

fn overflow(net: &mut Net, for_ns: u64, each: impl Fn(&mut Net)) {
    for _ in 0..for_ns / (5 * MS) {
        let now_ns = net.now_ns;
        net.ends[0].pipes.note_overflow(now_ns);
        each(net);
        net.flush(0);
        net.run(5 * MS);
    }
}

#[test]
fn a_flooded_end_takes_nobody_for_dead_whose_signs_of_life_it_loses() {
    for kinds in KINDS {
        let mut net = flooded(kinds, 70);

        overflow(&mut net, 60 * SECOND, |net| {
            net.send(0, 1, b"are you there?").unwrap();
        });

        let changes = net.ends.iter().map(|end| end.changes.len());
        assert_eq!(changes.collect::<Vec<_>>(), [1, 1], "{kinds:?}");
    }
}

/// Of what its node says it hears little, but the node hears of it.
#[test]
fn a_flooded_host_shows_its_node_that_it_lives() {
    let mut net = flooded((PeerKind::Host, PeerKind::Node), 100);

    overflow(&mut net, 2 * SECOND, |net| {
        net.send(1, 0, b"one of very many").unwrap();
    });

    assert!(net.is_up(1, 0));
    let sent = net
        .log
        .iter()
        .filter(|(_, from, ..)| *from == net.ends[0].endpoint);
    assert!(sent.count() <= 60, "no more often than nodes do");
}

#[test]
fn who_dies_while_another_floods_is_noticed_all_the_same() {
    for (kinds, within_ns) in EXCUSED {
        let mut net = flooded(kinds, 70);
        net.ends[1].is_frozen = true;

        let began_ns = net.now_ns;
        while net.send(0, 1, b"anybody?").is_ok() {
            overflow(&mut net, 5 * MS, |_| {});
        }

        let took_ns = net.now_ns - began_ns;
        assert!(
            took_ns <= within_ns + 10 * MS,
            "{kinds:?}: {} ms",
            took_ns / MS
        );
    }
}

#[test]
fn after_a_flood_a_death_is_noticed_as_soon_as_ever() {
    for (kinds, within_ns) in [
        (KINDS[0], 200 * MS),
        (KINDS[1], 275 * MS),
        (KINDS[2], 275 * MS),
    ] {
        let mut net = flooded(kinds, 70);
        overflow(&mut net, SECOND, |_| {});
        net.ends[0].overflow = 0;
        net.run(50 * MS);
        net.ends[1].is_frozen = true;
        net.send(0, 1, b"anybody?").unwrap();

        let took_ns = net.run_while(5 * SECOND, |net| net.is_up(0, 1));

        assert!(
            took_ns <= within_ns + 10 * MS,
            "{kinds:?}: {} ms",
            took_ns / MS
        );
    }
}

/// What an overloaded end has not read yet may be what it waits for.
#[test]
fn nobody_is_taken_for_dead_whose_answer_waits_to_be_read() {
    for kinds in KINDS {
        let mut net = flooded(kinds, 0);
        let read_ns = net.now_ns;
        net.ends[1].is_frozen = true;
        net.send(0, 1, b"anybody?").unwrap();

        while net.now_ns < read_ns + 450 * MS {
            net.ends[0].pipes.note_read(read_ns);
            net.run(5 * MS);
        }
        assert!(net.is_up(0, 1), "{kinds:?}: nothing was read meanwhile");

        let now_ns = net.now_ns;
        net.ends[0].pipes.note_read(now_ns);
        let took_ns = net.run_while(5 * SECOND, |net| net.is_up(0, 1));
        assert!(took_ns <= 15 * MS, "{kinds:?}: {} ms", took_ns / MS);
    }
}

#[test]
fn who_dies_while_an_end_has_ever_more_to_read_is_noticed_all_the_same() {
    for (kinds, within_ns) in EXCUSED {
        let mut net = flooded(kinds, 0);
        let read_ns = net.now_ns;
        net.ends[0].pipes.note_read(read_ns);
        net.ends[1].is_frozen = true;
        net.send(0, 1, b"anybody?").unwrap();

        let took_ns = net.run_while(5 * SECOND, |net| net.is_up(0, 1));

        assert!(
            took_ns <= within_ns + 15 * MS,
            "{kinds:?}: {} ms",
            took_ns / MS
        );
        assert!(
            took_ns >= within_ns - 60 * MS,
            "{kinds:?}: {} ms",
            took_ns / MS
        );
    }
}

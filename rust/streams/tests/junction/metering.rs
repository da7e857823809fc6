//! Splices that share a meter: slowed by reading less, fairly, and nobody else with them.

use ei_streams::junction::{Metering, Order};

use crate::crossing::{Crossing, SECOND_NS};

const BULK_BYTES: usize = 8 << 20;
const RATE: u64 = 1 << 20;
const METER: Metering<'static> = Metering {
    object: b"token",
    rate_bytes_per_s: RATE,
    burst_bytes: 65_536,
};

/// A stream of the host's, spliced with a socket; both by name.
struct Spliced {
    stream: u64,
    socket: usize,
    received: usize,
}

fn splice(crossing: &mut Crossing, number: u64, meter: Option<Metering<'_>>) -> Spliced {
    let stream = crossing.open(b"\0\0");
    let before: Vec<usize> = crossing.nodes[0].servers.all.keys().copied().collect();
    crossing.open_legacy(number | 1);
    let mut sockets = crossing.nodes[0].servers.all.keys();
    let socket = *sockets.find(|socket| !before.contains(socket)).unwrap();
    let order = Order::Splice {
        a: number,
        b: number | 1,
        idle_ns: 100 * SECOND_NS,
        keep_bytes: 0,
        from_byte: None,
        meter,
    };
    crossing.order(0, order);
    Spliced {
        stream,
        socket,
        received: 0,
    }
}

/// Its server sends a lot.
fn send_bulk(crossing: &mut Crossing, spliced: &Spliced) {
    let server = crossing.nodes[0].servers.all.get_mut(&spliced.socket);
    server.unwrap().sends.extend(vec![7; BULK_BYTES]);
    crossing.nodes[0].junction.socket_ready(spliced.socket);
}

/// Let time pass, in which the host reads what it can.
fn pass(crossing: &mut Crossing, nanoseconds: u64, all: &mut [Spliced]) {
    for _ in 0..100 {
        crossing.pass(nanoseconds / 100);
        for spliced in &mut *all {
            spliced.received += crossing.host_reads(spliced.stream).len();
        }
    }
}

#[test]
fn splices_that_share_a_meter_share_its_rate_fairly() {
    let mut crossing = Crossing::new(1);
    let mut all: Vec<Spliced> = [2, 4, 6, 8]
        .map(|number| splice(&mut crossing, number, Some(METER)))
        .into();
    for spliced in &all {
        send_bulk(&mut crossing, spliced);
    }

    pass(&mut crossing, 2 * SECOND_NS, &mut all);

    let received: Vec<usize> = all.iter().map(|one| one.received).collect();
    let sum: usize = received.iter().sum();
    let allowed = 2 * RATE as usize + 65_536;
    assert!(
        (allowed * 95 / 100..=allowed).contains(&sum),
        "{sum} of {allowed}"
    );
    let fair = sum / 4;
    let is_fair = |bytes: &usize| (fair * 9 / 10..=fair * 11 / 10).contains(bytes);
    assert!(received.iter().all(is_fair), "{received:?}");
}

#[test]
fn another_splice_is_not_slowed_and_one_alone_has_the_whole_rate() {
    let mut crossing = Crossing::new(1);
    let mut all = vec![
        splice(&mut crossing, 2, Some(METER)),
        splice(&mut crossing, 4, Some(METER)),
        splice(&mut crossing, 6, None),
    ];
    send_bulk(&mut crossing, &all[0]);
    send_bulk(&mut crossing, &all[2]);

    pass(&mut crossing, SECOND_NS, &mut all);

    let allowed = RATE as usize + 65_536;
    assert!((allowed * 95 / 100..=allowed).contains(&all[0].received));
    assert_eq!((all[1].received, all[2].received), (0, BULK_BYTES));
}

#[test]
fn both_directions_take_tokens_in_turns_and_nothing_is_lost() {
    let mut crossing = Crossing::new(1);
    let mut all = vec![splice(&mut crossing, 2, Some(METER))];
    send_bulk(&mut crossing, &all[0]);
    let (socket, stream, key) = (all[0].socket, all[0].stream, Crossing::key());
    let server = crossing.nodes[0].servers.all.get_mut(&socket);
    server.unwrap().room = BULK_BYTES;
    let data: Vec<u8> = (0..BULK_BYTES).map(|byte| byte as u8).collect();
    let mut written = 0;
    let received = |crossing: &Crossing| crossing.nodes[0].servers.all[&socket].received.clone();

    for _ in 0..10 {
        written += crossing.host.write(key, stream, &data[written..]).unwrap();
        pass(&mut crossing, SECOND_NS / 10, &mut all);
    }

    let there = received(&crossing).len();
    let allowed = RATE as usize + 65_536;
    let sum = there + all[0].received;
    assert!((allowed * 95 / 100..=allowed).contains(&sum), "{sum}");
    assert!(
        there.abs_diff(all[0].received) < sum / 5,
        "{there} of {sum}"
    );
    pass(&mut crossing, 15 * SECOND_NS, &mut all);
    assert_eq!(all[0].received, BULK_BYTES);
    assert_eq!(received(&crossing), data[..written]);
}

#[test]
fn what_is_said_last_holds_for_all_that_share() {
    let mut crossing = Crossing::new(1);
    let mut all = vec![splice(&mut crossing, 2, Some(METER))];
    send_bulk(&mut crossing, &all[0]);
    pass(&mut crossing, SECOND_NS, &mut all);
    all[0].received = 0;

    let twice = Metering {
        rate_bytes_per_s: 2 * RATE,
        ..METER
    };
    all.push(splice(&mut crossing, 4, Some(twice)));
    pass(&mut crossing, SECOND_NS, &mut all);

    let allowed = 2 * RATE as usize + 2 * 65_536;
    assert!(
        (allowed * 90 / 100..=allowed).contains(&all[0].received),
        "{}",
        all[0].received
    );
}

//! Floods of handshakes: rates, load, cookies.

use std::net::SocketAddr;

use ei_datapath::counters::{Fate, Reason};
use ei_datapath::pipes::PeerKind;

use crate::net::{MS, Net, SECOND, endpoint};

fn spoofed(number: u64) -> SocketAddr {
    let [.., a, b, c] = (number as u32).to_be_bytes();
    SocketAddr::from(([127, a, b, c | 0x80], 1_024 + (number % 50_000) as u16))
}

/// An initiation that costs the responder two X25519, since only its source is wrong.
fn costly_initiation(net: &mut Net, index: usize) -> Vec<u8> {
    let peer = net.peer(index, 1);
    let key = net.ends[1].key;
    let address = net.ends[1].address;
    net.ends[index].pipes.remove_peer(&address);
    net.ends[index]
        .pipes
        .add_peer(address, key, PeerKind::Node, Some(endpoint(1)))
        .unwrap();
    let now_ns = net.now_ns;
    let peer_again = net.peer(index, 1);
    assert_ne!(peer, peer_again);
    net.ends[index].pipes.dial(now_ns, peer_again);
    net.ends[index].pipes.take_outgoing().unwrap().1
}

/// A1: under load nothing expensive is done for initiations without a cookie, and a legitimate peer
/// connects within 2 s.
#[test]
fn a1_a_flood_of_initiations_is_answered_with_cookies_and_honest_peers_get_through() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    let attacker = net.add(PeerKind::Host, &|_| {});
    net.introduce(attacker, 1, true);
    let flood: Vec<_> = (0..400)
        .map(|_| costly_initiation(&mut net, attacker))
        .collect();

    let mut fates = std::collections::BTreeMap::new();
    net.dial(0, 1);
    let mut connected_ns = None;
    let began_ns = net.now_ns;
    for number in 0..20_000u64 {
        let mut bytes = flood[(number % 400) as usize].clone();
        let fate = net.handle(1, spoofed(number), &mut bytes);
        net.flush(1);
        if let Fate::Dropped(reason) = fate {
            *fates.entry(reason.word()).or_insert(0) += 1;
        }
        net.run(MS / 10);
        if connected_ns.is_none() && net.is_up(0, 1) {
            connected_ns = Some(net.now_ns - began_ns);
        }
    }

    let expensive = fates.get("unknown_peer").copied().unwrap_or(0);
    assert!(expensive <= 200, "{fates:?}");
    assert!(fates["cookie_required"] > 19_000, "{fates:?}");
    assert!(connected_ns.unwrap() <= 2 * SECOND);
}

/// A8: a cookie is smaller than what asked for it.
#[test]
fn a8_no_answer_is_longer_than_its_question() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    let attacker = net.add(PeerKind::Host, &|_| {});
    net.introduce(attacker, 1, true);
    let flood: Vec<_> = (0..300)
        .map(|_| costly_initiation(&mut net, attacker))
        .collect();
    let sent = net.log.len();

    for bytes in &flood {
        let _ = net.handle(1, endpoint(attacker), &mut bytes.clone());
        net.flush(1);
    }

    let answered: usize = net.log[sent..].iter().map(|(.., bytes)| bytes.len()).sum();
    assert!(answered > 0 && answered <= 300 * 56);
}

/// A2: a source that does not prove itself gets a cookie beyond 20/s, burst 5.
#[test]
fn a2_one_source_is_held_to_its_rate() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    let attacker = net.add(PeerKind::Host, &|_| {});
    net.introduce(attacker, 1, true);
    let mut expensive = 0;

    for _ in 0..500 {
        let mut bytes = costly_initiation(&mut net, attacker);
        let fate = net.handle(1, endpoint(attacker), &mut bytes);
        net.flush(1);
        expensive += usize::from(fate == Fate::Dropped(Reason::UnknownPeer));
        net.run(10 * MS);
    }

    assert!((90..=105).contains(&expensive), "{expensive} in 5 s");
}

#[test]
fn a_clock_set_back_locks_nobody_out() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    let mut config = net.config(0, PeerKind::Host);
    config.seed = Some([77; 32]);
    config.unix_offset_ns -= 86_400 * SECOND as i64;
    net.ends[0].pipes = ei_datapath::pipes::Pipes::new(config);
    net.introduce(0, 1, true);
    net.run(100 * MS);

    net.dial(0, 1);
    net.run(100 * MS);

    assert!(net.is_up(0, 1) && net.is_up(1, 0));
    assert_eq!(net.ends[1].drops.get("stale_initiation"), Some(&1));
}

#[test]
fn a_cookied_initiation_that_is_replayed_gets_nothing() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.connect(0, 1);
    let mut config = net.config(0, PeerKind::Host);
    config.seed = Some([77; 32]);
    config.unix_offset_ns -= 86_400 * SECOND as i64;
    net.ends[0].pipes = ei_datapath::pipes::Pipes::new(config);
    net.introduce(0, 1, true);
    net.run(100 * MS);
    net.dial(0, 1);
    net.run(100 * MS);
    let initiations: Vec<_> = net
        .log
        .iter()
        .filter(|(.., bytes)| bytes[0] == 0x11)
        .map(|(.., bytes)| bytes.clone())
        .collect();
    let cookied = initiations.last().unwrap();
    assert_ne!(cookied[1_184..], [0; 16]);

    for _ in 0..100 {
        net.run(30 * MS);
        let fate = net.handle(1, endpoint(0), &mut cookied.clone());
        assert_eq!(fate, Fate::Dropped(Reason::StaleInitiation));
    }
    assert!(net.is_up(0, 1));
}

#[test]
fn a4_initiations_of_one_peer_closer_than_20_ms_are_dropped() {
    let mut net = Net::pair(1, PeerKind::Host, PeerKind::Node);
    net.dial(0, 1);
    let mut first = net.ends[0]
        .pipes
        .take_outgoing()
        .map_or_else(|| net.log[0].3.clone(), |(_, bytes)| bytes);
    assert_eq!(net.handle(1, endpoint(0), &mut first), Fate::Consumed);

    let mut second = costly_initiation(&mut net, 0);
    net.now_ns += 19 * MS;
    let too_soon = net.handle(1, endpoint(0), &mut second.clone());
    net.now_ns += MS;

    assert_eq!(too_soon, Fate::Dropped(Reason::HandshakeRate));
    assert_eq!(net.handle(1, endpoint(0), &mut second), Fate::Consumed);
}

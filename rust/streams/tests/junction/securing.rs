//! Streams whose TLS ends at the node.

use std::io::{Read, Write};
use std::sync::Arc;

use ei_streams::junction::{Closing, News, Order};
use ei_streams::sites::{Site, Sites};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::crossing::{Crossing, SECOND_NS};

pub(crate) const NAME: &str = "www.example.org";
const CERTIFICATE: &[u8] = include_bytes!("../site/certificate.pem");
const KEY: &[u8] = include_bytes!("../site/key.pem");

pub(crate) fn site() -> Site {
    Site {
        name: NAME.to_owned(),
        certificates: CERTIFICATE.to_vec(),
        key: KEY.to_vec(),
        protocols: vec!["http/1.1".to_owned()],
    }
}

fn client(name: &'static str) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(CERTIFICATE).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap()
}

/// A stream of the host's, whose TLS the node is asked to end, with a word before it.
fn secured() -> (Crossing, u64) {
    let mut crossing = Crossing::new(1);
    crossing.nodes[0]
        .junction
        .set_sites(Sites::new(vec![site()]).unwrap());
    let stream = crossing.open(b"\0\0");
    let word = Order::Write {
        stream: 2,
        data: b"ok",
        is_end: false,
    };
    crossing.order(0, word);
    let tls = Order::StartTls {
        stream: 2,
        site: "WWW.example.org",
    };
    crossing.order(0, tls);
    assert_eq!(crossing.host_reads(stream), b"ok");
    (crossing, stream)
}

/// The same, spliced with a socket.
fn spliced() -> (Crossing, u64) {
    let (mut crossing, stream) = secured();
    crossing.open_legacy(3);
    let splice = Order::Splice {
        a: 2,
        b: 3,
        idle_ns: 100 * SECOND_NS,
        keep_bytes: 0,
        from_byte: None,
        meter: None,
    };
    crossing.order(0, splice);
    (crossing, stream)
}

/// Carry bytes between a client and its stream until nothing moves.
fn exchange(crossing: &mut Crossing, stream: u64, client: &mut ClientConnection) {
    loop {
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        let key = Crossing::key();
        if !sent.is_empty() {
            assert_eq!(crossing.host.write(key, stream, &sent), Ok(sent.len()));
            crossing.settle();
        }
        let came = crossing.host_reads(stream);
        if came.is_empty() && sent.is_empty() {
            return;
        }
        let mut rest = &came[..];
        while !rest.is_empty() && client.read_tls(&mut rest).unwrap() > 0 {
            client.process_new_packets().unwrap();
        }
    }
}

fn read(client: &mut ClientConnection) -> Vec<u8> {
    let mut plain = Vec::new();
    let _until_nothing_is_left = client.reader().read_to_end(&mut plain);
    plain
}

fn serve(crossing: &mut Crossing, bytes: &[u8], has_ended: bool) {
    let (socket, server) = crossing.nodes[0].servers.all.iter_mut().next().unwrap();
    server.sends.extend(bytes);
    server.has_ended = has_ended;
    let socket = *socket;
    crossing.nodes[0].junction.socket_ready(socket);
    crossing.settle();
}

fn received(crossing: &Crossing) -> &[u8] {
    &crossing.nodes[0]
        .servers
        .all
        .values()
        .next()
        .unwrap()
        .received
}

fn left_open(crossing: &Crossing) -> usize {
    crossing.nodes[0].junction.statistics().open
}

#[test]
fn what_a_client_seals_goes_on_in_the_clear_and_ends_both_ways() {
    let (mut crossing, stream) = spliced();
    let mut client = client(NAME);
    exchange(&mut crossing, stream, &mut client);
    assert!(!client.is_handshaking());

    client.writer().write_all(b"question").unwrap();
    exchange(&mut crossing, stream, &mut client);
    assert_eq!(received(&crossing), b"question");
    serve(&mut crossing, b"answer", true);
    exchange(&mut crossing, stream, &mut client);
    assert_eq!(read(&mut client), b"answer");
    client.send_close_notify();
    exchange(&mut crossing, stream, &mut client);

    let closed = crossing.closed(0);
    assert_eq!(closed.len(), 2, "{closed:?}");
    assert!(closed.iter().all(|(_, why)| *why == Closing::Ended));
    assert_eq!(left_open(&crossing), 0);
}

#[test]
fn much_arrives_whole_both_ways() {
    let (mut crossing, stream) = spliced();
    let mut client = client(NAME);
    let servers = &mut crossing.nodes[0].servers.all;
    servers.values_mut().next().unwrap().room = 1 << 30;
    let much: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
    exchange(&mut crossing, stream, &mut client);

    for piece in much.chunks(30_000) {
        client.writer().write_all(piece).unwrap();
        exchange(&mut crossing, stream, &mut client);
    }
    assert!(received(&crossing) == much);

    serve(&mut crossing, &much, true);
    let mut arrived = Vec::new();
    while arrived.len() < much.len() {
        let came = crossing.host_reads(stream);
        assert!(!came.is_empty(), "{}", arrived.len());
        let mut rest = &came[..];
        while !rest.is_empty() && client.read_tls(&mut rest).unwrap() > 0 {
            client.process_new_packets().unwrap();
            arrived.extend(read(&mut client));
        }
    }
    assert!(arrived == much);
}

#[test]
fn a_service_reads_and_writes_what_is_plain() {
    let (mut crossing, stream) = secured();
    let mut client = client(NAME);
    exchange(&mut crossing, stream, &mut client);
    client.writer().write_all(b"question").unwrap();
    exchange(&mut crossing, stream, &mut client);

    let ask = Order::Read {
        stream: 2,
        limit: 5,
        idle_ns: SECOND_NS,
    };
    crossing.order(0, ask);
    let write = Order::Write {
        stream: 2,
        data: b"answer",
        is_end: true,
    };
    crossing.order(0, write);
    exchange(&mut crossing, stream, &mut client);

    let data = News::Data {
        stream: 2,
        data: b"quest".to_vec(),
        is_end: false,
    };
    assert!(crossing.nodes[0].news.contains(&data));
    assert_eq!(read(&mut client), b"answer");
}

#[test]
fn who_greets_in_plain_is_told_so_and_the_stream_is_closed() {
    let (mut crossing, stream) = spliced();
    let hello = b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";

    crossing.host.write(Crossing::key(), stream, hello).unwrap();
    crossing.settle();

    // An alert, fatal, and then the end.
    assert_eq!(crossing.host_reads(stream)[..2], [21, 3]);
    assert_eq!(crossing.closed(0).len(), 2);
    assert!(
        crossing
            .closed(0)
            .iter()
            .all(|(_, why)| *why == Closing::BadTls)
    );
    crossing.pass(2 * SECOND_NS);
    assert_eq!(left_open(&crossing), 0);
    assert_eq!(received(&crossing), b"");
}

#[test]
fn who_asks_for_another_site_is_refused() {
    let (mut crossing, stream) = spliced();
    let mut client = client("mail.example.org");
    let mut sent = Vec::new();
    client.write_tls(&mut sent).unwrap();

    crossing.host.write(Crossing::key(), stream, &sent).unwrap();
    crossing.settle();

    let came = crossing.host_reads(stream);
    client.read_tls(&mut &came[..]).unwrap();
    assert!(client.process_new_packets().is_err());
    assert_eq!(crossing.closed(0)[0].1, Closing::BadTls);
}

#[test]
fn an_end_that_tls_does_not_say_is_a_reset() {
    let (mut crossing, stream) = spliced();
    let mut client = client(NAME);
    exchange(&mut crossing, stream, &mut client);
    client.writer().write_all(b"half").unwrap();
    exchange(&mut crossing, stream, &mut client);

    crossing.host.finish(Crossing::key(), stream).unwrap();
    crossing.settle();

    assert_eq!(crossing.closed(0)[0].1, Closing::Reset);
    crossing.pass(2 * SECOND_NS);
    let server = crossing.nodes[0].servers.all.values().next().unwrap();
    assert_eq!(
        (&server.received[..], server.saw_end),
        (&b"half"[..], false)
    );
    assert_eq!(server.closed, Some(true));
}

#[test]
fn a_server_that_breaks_is_no_end_of_tls() {
    let (mut crossing, stream) = spliced();
    let mut client = client(NAME);
    exchange(&mut crossing, stream, &mut client);
    crossing.nodes[0]
        .servers
        .all
        .values_mut()
        .next()
        .unwrap()
        .is_broken = true;

    serve(&mut crossing, b"half", false);
    exchange(&mut crossing, stream, &mut client);
    crossing.pass(2 * SECOND_NS);

    let mut plain = [0; 10];
    assert_eq!(client.reader().read(&mut plain).unwrap(), 4);
    let error = client.reader().read(&mut plain).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(crossing.reset_code(stream), Some(Closing::Reset.code()));
}

#[test]
fn a_handshake_that_stands_still_is_given_up() {
    let (mut crossing, stream) = spliced();
    crossing
        .host
        .write(Crossing::key(), stream, &[22, 3, 1])
        .unwrap();

    crossing.pass(9 * SECOND_NS);
    assert!(crossing.closed(0).is_empty());
    crossing.pass(2 * SECOND_NS);

    assert_eq!(crossing.closed(0)[0].1, Closing::Deadline);
}

#[test]
fn bytes_without_end_are_no_greeting() {
    let (mut crossing, stream) = spliced();
    // Records of a handshake message of 60,000 bytes, and on.
    let mut record = vec![22, 3, 1, 0x40, 0];
    record.extend([1, 0, 0xea, 0x60]);
    record.resize(5 + 0x4000, 0);

    for _ in 0..8 {
        let _until_it_is_stopped = crossing.host.write(Crossing::key(), stream, &record);
        crossing.settle();
    }

    assert_eq!(crossing.closed(0)[0].1, Closing::BadTls);
}

#[test]
fn a_flip_on_the_way_ends_it() {
    let (mut crossing, stream) = spliced();
    let mut client = client(NAME);
    exchange(&mut crossing, stream, &mut client);
    client.writer().write_all(b"question").unwrap();
    let mut sent = Vec::new();
    client.write_tls(&mut sent).unwrap();
    sent[10] ^= 1;

    crossing.host.write(Crossing::key(), stream, &sent).unwrap();
    crossing.settle();

    assert_eq!(crossing.closed(0)[0].1, Closing::BadTls);
    assert_eq!(received(&crossing), b"");
}

#[test]
fn a_site_that_is_not_the_operators_is_not_allowed() {
    let mut crossing = Crossing::new(1);
    crossing.open(b"\0\0");

    let order = Order::StartTls {
        stream: 2,
        site: NAME,
    };
    crossing.order(0, order);

    assert_eq!(crossing.closed(0), [(2, Closing::NotAllowed)]);
}

#[test]
fn a_flood_of_handshakes_is_bounded_for_each_peer() {
    let mut crossing = Crossing::new(1);
    crossing.nodes[0]
        .junction
        .set_sites(Sites::new(vec![site()]).unwrap());

    for number in 1..=500 {
        crossing.open(b"\0\0");
        let stream = 2 * number;
        crossing.order(0, Order::StartTls { stream, site: NAME });
        crossing.order(0, Order::Close { stream });
    }

    let closed = crossing.closed(0);
    let refused = closed
        .iter()
        .filter(|(_, why)| *why == Closing::TooManyStreams);
    assert!((90..=110).contains(&refused.count()));
}

#[test]
fn a_site_that_cannot_be_used_says_why_and_nothing_of_its_key() {
    let refused = |change: fn(&mut Site)| {
        let mut changed = site();
        change(&mut changed);
        Sites::new(vec![changed]).unwrap_err()
    };

    let without = refused(|site| site.certificates = b"-".to_vec());
    assert_eq!(
        without,
        "site www.example.org: its certificate file has no certificate"
    );
    let keyless = refused(|site| site.key = b"-".to_vec());
    assert!(keyless.contains("no PEM of a private key"), "{keyless}");
}

//! Any bytes as each layout: they parse or are refused, and what parses emits the same bytes again.

#![no_main]

mod bounded;

use bounded::{ONE, within};
use ei_datapath::control::{ControlHeader, Signal};
use ei_datapath::endtoend::payload::Payload;
use ei_datapath::wire::handshake::{CookieReply, Initiation, Response};
use ei_datapath::wire::{DatagramType, Header, Prefix, split_sealed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| within(ONE, || parse(bytes)));

fn parse(bytes: &[u8]) {
    let _ = DatagramType::of(bytes);
    if let Ok(prefix) = Prefix::parse(bytes) {
        assert_eq!(prefix.emit(), bytes[..Prefix::BYTES]);
    }
    if let Ok(header) = Header::parse(bytes) {
        let mut out = [0; Header::MAX_BYTES];
        let length = header.emit(&mut out).expect("a parsed header fits");
        assert_eq!(&out[..length], bytes);
        assert_eq!(
            split_sealed(bytes),
            Ok((length, usize::from(header.payload_bytes)))
        );
    }
    let _ = Initiation::parse(bytes);
    let _ = Response::parse(bytes);
    if let Ok(reply) = CookieReply::parse(bytes) {
        assert_eq!(reply.emit()[4..], bytes[4..]);
    }
    if let Some(header) = ControlHeader::parse(bytes) {
        assert_eq!(header.emit(), bytes);
    }
    if let Some(signal) = Signal::parse(bytes) {
        assert_eq!(Signal::parse(&signal.emit()), Some(signal));
    }
    match Payload::parse(bytes) {
        Ok(payload @ Payload::Datagram { .. }) => assert_eq!(payload.emit(), bytes[..12]),
        Ok(payload @ Payload::Cookie { .. }) => assert_eq!(payload.emit(), bytes[..28]),
        Ok(payload) => assert_eq!(payload.emit(), bytes),
        Err(_) => {}
    }
}

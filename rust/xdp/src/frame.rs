//! The datagram of UDP inside of an Ethernet frame.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const UDP_BYTES: usize = 8;
const UDP: u8 = 17;

/// The datagram inside of a frame, and who sent it.
///
/// It is empty where it is broken: longer than its frame, or its sum is wrong. The sum of its addresses and
/// length alone is right, too: between virtual devices the rest is left to a device that never does it.
///
/// `frame` is Ethernet, then IPv4 without options or IPv6 without extensions, then UDP; what is none of
/// these, or from an address that nobody sends from, comes empty, from 0.0.0.0:0. `device` is the index that
/// a link-local sender is told with.
#[inline]
pub fn datagram(frame: &mut [u8], device: u32) -> (SocketAddr, &mut [u8]) {
    let Some(head) = Head::parse(frame, device) else {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        return (nowhere, Default::default());
    };
    let payload = match head.is_whole(frame) {
        true => frame.get_mut(head.payload_at..head.end),
        false => None,
    };
    (head.from, payload.unwrap_or_default())
}

/// What stands before the payload.
struct Head {
    from: SocketAddr,
    /// Of both addresses, the protocol and the length.
    pseudo_sum: u64,
    /// Where the payload begins in the frame, and where it ends.
    payload_at: usize,
    end: usize,
    /// As it stands in the packet.
    sum: u16,
    /// Whether a packet without a sum is right.
    is_sum_optional: bool,
}

impl Head {
    #[inline]
    fn parse(frame: &[u8], device: u32) -> Option<Self> {
        let (ethernet, packet) = frame.split_first_chunk::<ETHERNET_BYTES>()?;
        match (ethernet, packet.first()?) {
            ([.., 0x08, 0x00], 0x45) => {
                let (ip, rest) = packet.split_first_chunk::<IPV4_BYTES>()?;
                let [.., p, _, _, a, b, c, d, _, _, _, _] = *ip;
                let addresses = ip.last_chunk::<8>()?;
                let from = Ipv4Addr::new(a, b, c, d);
                let is_nobody = from.is_loopback()
                    || from.is_multicast()
                    || from.is_unspecified()
                    || from.is_broadcast();
                if is_nobody {
                    return None;
                }
                let to_from = |port| (from, port).into();
                let payload_at = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
                Self::parse_udp(p, addresses, rest, payload_at, true, to_from)
            }
            ([.., 0x86, 0xdd], 0x60..=0x6f) => {
                let (ip, rest) = packet.split_first_chunk::<IPV6_BYTES>()?;
                let [_, _, _, _, _, _, p, _, ..] = *ip;
                let addresses = ip.last_chunk::<32>()?;
                let from = Ipv6Addr::from(*addresses.first_chunk::<16>()?);
                let is_nobody = from.is_loopback()
                    || from.is_multicast()
                    || from.is_unspecified()
                    || from.to_ipv4_mapped().is_some();
                if is_nobody {
                    return None;
                }
                let scope = if from.is_unicast_link_local() {
                    device
                } else {
                    0
                };
                let to_from = |port| SocketAddrV6::new(from, port, 0, scope).into();
                let payload_at = ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES;
                Self::parse_udp(p, addresses, rest, payload_at, false, to_from)
            }
            _ => None,
        }
    }

    #[inline]
    fn parse_udp(
        protocol: u8,
        addresses: &[u8],
        udp: &[u8],
        payload_at: usize,
        is_sum_optional: bool,
        to_from: impl FnOnce(u16) -> SocketAddr,
    ) -> Option<Self> {
        let (&[a, b, _, _, c, d, e, f], _) = udp.split_first_chunk::<UDP_BYTES>()?;
        let bytes = u16::from_be_bytes([c, d]);
        (protocol == UDP).then(|| Self {
            from: to_from(u16::from_be_bytes([a, b])),
            pseudo_sum: sum_of(addresses) + u64::from(UDP) + u64::from(bytes),
            payload_at,
            end: payload_at + usize::from(bytes) - UDP_BYTES.min(usize::from(bytes)),
            sum: u16::from_be_bytes([e, f]),
            is_sum_optional,
        })
    }

    /// Whether all of the datagram is there, as it was sent (RFC 768, RFC 1071, RFC 8200 section 8.1).
    #[inline]
    fn is_whole(&self, frame: &[u8]) -> bool {
        let from_udp = self.payload_at - UDP_BYTES..self.end;
        let Some(udp) = frame.get(from_udp) else {
            return false;
        };
        if self.sum == 0 {
            return self.is_sum_optional;
        }
        let is_left_to_device = self.sum == folded(self.pseudo_sum);
        is_left_to_device || folded(self.pseudo_sum + sum_of(udp)) == u16::MAX
    }
}

/// The sum of 16-bit words, not yet folded; as if a zero followed an odd number of bytes.
fn sum_of(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum: u64 = words
        .iter()
        .map(|word| u64::from(u32::from_ne_bytes(*word)))
        .sum();
    let mut last = [0; 4];
    for (place, byte) in last.iter_mut().zip(rest) {
        *place = *byte;
    }
    // A sum of words in the other order of bytes is the sum in the other order of bytes.
    u64::from(u16::from_be(folded(
        sum + u64::from(u32::from_ne_bytes(last)),
    )))
}

/// One's complement: what is carried out of 16 bits is added to them.
fn folded(sum: u64) -> u16 {
    let mut sum = (sum >> 32) + (sum & 0xffff_ffff);
    while sum >> 16 != 0 {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FROM_V4: &str = "192.0.2.7:4321";
    const FROM_V6: &str = "[fe80::7%3]:4321";

    /// A frame as a careful sender would make it.
    fn frame(is_v6: bool, payload: &[u8]) -> Vec<u8> {
        let (a, b) = match is_v6 {
            false => (vec![192, 0, 2, 7], vec![192, 0, 2, 9]),
            true => {
                let a = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
                let mut b = a;
                b[15] = 9;
                (a.to_vec(), b.to_vec())
            }
        };
        let bytes = (payload.len() + UDP_BYTES) as u16;
        let mut udp = vec![0x10, 0xe1, 0x0d, 0xcf];
        udp.extend(bytes.to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(payload);
        let mut words = [&a[..], &b, &[0, UDP], &bytes.to_be_bytes(), &udp].concat();
        words.resize(words.len().next_multiple_of(2), 0);
        let mut sum: u32 = words
            .chunks(2)
            .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
            .sum();
        while sum >> 16 != 0 {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        let sum = match !(sum as u16) {
            0 => u16::MAX,
            sum => sum,
        };
        udp[6..8].copy_from_slice(&sum.to_be_bytes());
        let mut frame = vec![2; 12];
        match is_v6 {
            false => {
                frame.extend([0x08, 0x00, 0x45, 0]);
                frame.extend((bytes + 20).to_be_bytes());
                frame.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
            }
            true => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(bytes.to_be_bytes());
                frame.extend([UDP, 64]);
            }
        }
        [frame, a, b, udp].concat()
    }

    fn from(is_v6: bool) -> SocketAddr {
        match is_v6 {
            false => FROM_V4.parse().unwrap(),
            true => FROM_V6.parse().unwrap(),
        }
    }

    /// Where the sum stands.
    fn sum_at(is_v6: bool) -> usize {
        14 + if is_v6 { 40 } else { 20 } + 6
    }

    proptest! {
        #[test]
        fn a_payload_comes_out_as_it_was_sent(
            is_v6: bool,
            payload in proptest::collection::vec(any::<u8>(), 0..1_500),
            padding in 0_usize..20,
        ) {
            let mut frame = frame(is_v6, &payload);
            frame.resize(frame.len() + padding, 0);
            let (sender, bytes) = datagram(&mut frame, 3);
            prop_assert_eq!(sender, from(is_v6));
            prop_assert_eq!(&*bytes, &payload[..]);
        }

        #[test]
        fn what_was_changed_on_its_way_is_empty(
            is_v6: bool,
            payload in proptest::collection::vec(any::<u8>(), 1..200),
            place: prop::sample::Index,
            bit in 0..8_u32,
        ) {
            let mut frame = frame(is_v6, &payload);
            let head = Head::parse(&frame, 3).unwrap();
            prop_assume!(head.sum != folded(head.pseudo_sum));
            let place = sum_at(is_v6) + 2 + place.index(payload.len());
            frame[place] ^= 1_u8 << bit;
            let (sender, bytes) = datagram(&mut frame, 3);
            prop_assert_eq!(sender, from(is_v6));
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn a_frame_that_was_cut_is_empty(
            is_v6: bool,
            payload in proptest::collection::vec(any::<u8>(), 1..200),
            cut: prop::sample::Index,
        ) {
            let mut frame = frame(is_v6, &payload);
            frame.truncate(cut.index(frame.len()));
            prop_assert!(datagram(&mut frame, 3).1.is_empty());
        }

        #[test]
        fn any_bytes_are_taken(mut frame in proptest::collection::vec(any::<u8>(), 0..200)) {
            let length = frame.len();
            prop_assert!(datagram(&mut frame, 3).1.len() < length.max(1));
        }
    }

    #[test]
    fn a_sum_that_was_left_to_the_device_is_right() {
        for is_v6 in [false, true] {
            let mut frame = frame(is_v6, b"as between two virtual devices");
            let head = Head::parse(&frame, 3).unwrap();
            let place = sum_at(is_v6);
            frame[place..place + 2].copy_from_slice(&folded(head.pseudo_sum).to_be_bytes());
            assert_eq!(datagram(&mut frame, 3).1, b"as between two virtual devices");
        }
    }

    #[test]
    fn no_sum_is_right_in_version_4_alone() {
        for is_v6 in [false, true] {
            let mut frame = frame(is_v6, b"unsummed");
            let place = sum_at(is_v6);
            frame[place..place + 2].fill(0);
            assert_eq!(datagram(&mut frame, 3).1.is_empty(), is_v6);
        }
    }

    #[test]
    fn a_length_shorter_than_its_own_header_is_empty() {
        for length in 0..8 {
            let mut frame = frame(false, b"payload");
            frame[14 + 20 + 5] = length;
            frame[14 + 20 + 6..14 + 20 + 8].fill(0);
            assert!(datagram(&mut frame, 3).1.is_empty());
        }
    }

    #[test]
    fn what_nobody_sends_from_comes_from_nowhere() {
        for address in ["127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"] {
            let address: Ipv4Addr = address.parse().unwrap();
            let mut frame = frame(false, b"payload");
            frame[26..30].copy_from_slice(&address.octets());
            assert!(Head::parse(&frame, 3).is_none());
            assert!(datagram(&mut frame, 3).1.is_empty());
        }
        for address in ["::1", "ff02::1", "::", "::ffff:192.0.2.7"] {
            let address: Ipv6Addr = address.parse().unwrap();
            let mut frame = frame(true, b"payload");
            frame[22..38].copy_from_slice(&address.octets());
            assert!(Head::parse(&frame, 3).is_none());
        }
    }

    #[test]
    fn other_protocols_come_from_nowhere() {
        let nowhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
        for (place, byte) in [(12, 9), (14, 0x46), (14 + 9, 6)] {
            let mut frame = frame(false, b"payload");
            frame[place] = byte;
            let (sender, bytes) = datagram(&mut frame, 3);
            assert_eq!((sender, bytes.len()), (nowhere, 0));
        }
    }
}

//! From a datapath to the sockets: all its trains.

use std::net::SocketAddr;

use ei_datapath::forward::Datapath;

use super::UdpSocket;

/// Send all that `datapath` wants to send; return the number of datagrams that went out.
///
/// Each leaves by the socket of its family. What finds none, or the kernel refuses, is counted.
pub(crate) fn send_trains(datapath: &mut Datapath, sockets: &[UdpSocket]) -> usize {
    let mut total = 0;
    while let Some(train) = datapath.next_train() {
        let datagrams = train.bytes.len().div_ceil(train.segment_bytes.max(1));
        let sent = send_by(sockets, train.to, train.bytes, train.segment_bytes);
        total += sent;
        if sent < datagrams {
            datapath.note_unsent(datagrams - sent);
        }
    }
    total
}

fn send_by(sockets: &[UdpSocket], to: SocketAddr, bytes: &[u8], segment_bytes: usize) -> usize {
    let socket = sockets
        .iter()
        .find(|socket| socket.endpoint().is_ipv4() == to.is_ipv4());
    socket.map_or(0, |socket| socket.send(to, bytes, segment_bytes))
}

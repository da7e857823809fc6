//! From a datapath to the sockets: all its trains.

use ei_datapath::forward::Datapath;
use ei_datapath::trains::Train;

use super::UdpSocket;

/// Send all that `datapath` wants to send; return the number of datagrams that went out.
///
/// Each leaves by the socket of its family. What finds none, or the kernel refuses, is counted.
pub(crate) fn send_trains(datapath: &mut Datapath, sockets: &[UdpSocket]) -> usize {
    let mut total = 0;
    while let Some(train) = datapath.next_train() {
        let datagrams = train.datagrams();
        let sent = send_by(sockets, train);
        total += sent;
        if sent < datagrams {
            datapath.note_unsent(datagrams - sent);
        }
    }
    total
}

/// Send one train by the socket of its family; return how many of its datagrams went out.
pub(crate) fn send_by(sockets: &[UdpSocket], train: Train<'_>) -> usize {
    let socket = sockets
        .iter()
        .find(|socket| socket.endpoint().is_ipv4() == train.to.is_ipv4());
    socket.map_or(0, |socket| {
        socket.send(train.to, train.bytes, train.segment_bytes)
    })
}

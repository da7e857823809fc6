//! Which of the threads gets a datagram: the one that owns its lane.
//!
//! Nodes that talk to each other are one pair of endpoints, so the kernel's own hash would send all
//! of it to one thread. A classic BPF program on the group of sockets reads the lane instead: the low
//! four bits of the receiver index, at byte 4 of a data datagram. Handshakes go to thread 0.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::ptr;

use super::UdpSocket;

const DATA: u32 = 0x04;
const TYPE_MASK: u32 = 0x0f;
const LANE_OFFSET: u32 = 4;
const LANE_MASK: u32 = 0x0f;

/// Steer what comes to the sockets bound to the same endpoint as `socket`; thread N's is the N-th bound.
pub(crate) fn steer_by_lane(socket: &UdpSocket, threads: u32) -> io::Result<()> {
    let load = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    let and = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
    let modulo = (libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K) as u16;
    let jump_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let give_constant = (libc::BPF_RET | libc::BPF_K) as u16;
    let give_result = (libc::BPF_RET | libc::BPF_A) as u16;
    let step = |code, k| libc::sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    // A load past the end ends the program with 0: thread 0 counts what is too short.
    let mut program = [
        step(load, 0),
        step(and, TYPE_MASK),
        libc::sock_filter {
            code: jump_equal,
            jt: 1,
            jf: 0,
            k: DATA,
        },
        step(give_constant, 0),
        step(load, LANE_OFFSET),
        step(and, LANE_MASK),
        step(modulo, threads),
        step(give_result, 0),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as libc::c_ushort,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the descriptor is open; `filter` points to `len` instructions, alive until the call returns,
    // which the kernel copies and verifies.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            ptr::from_ref(&filter).cast(),
            mem::size_of::<libc::sock_fprog>() as u32,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

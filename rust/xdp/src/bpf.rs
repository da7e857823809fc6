//! The calls of `bpf(2)` that are needed, which no crate of ours offers.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::program::Instruction;

const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE: libc::c_int = 2;
const PROGRAM_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;

const XSKMAP: u32 = 17;
const PROGRAM_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;

/// `XDP_FLAGS_DRV_MODE`. Where the stack runs the program in its place, frames have become trains before,
/// which are no datagrams, and nothing says which they are.
const BY_DRIVER: u32 = 1 << 2;

/// The kernel keeps some of its helpers for programs of this licence; ours uses none of these.
const LICENSE: &[u8; 11] = b"Apache-2.0\0";

/// What `bpftool prog` and `ip -details link` show.
const NAME: &[u8; 16] = b"ei_node\0\0\0\0\0\0\0\0\0";

/// The attributes of each call, as in `union bpf_attr`; the kernel takes what is not there for zero.
#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_bytes: u32,
    value_bytes: u32,
    most_entries: u32,
}

#[repr(C)]
#[derive(Default)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_bytes: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    device: u32,
    attach: u32,
    flags: u32,
}

/// Make a map from a queue to the AF_XDP socket that takes what comes by it.
pub(crate) fn make_socket_map(entries: u32) -> io::Result<OwnedFd> {
    let attributes = MapCreate {
        kind: XSKMAP,
        key_bytes: 4,
        value_bytes: 4,
        most_entries: entries,
    };
    make(MAP_CREATE, &attributes)
}

/// Put a socket into such a map. It is taken out when it is closed.
pub(crate) fn put_socket(map: &OwnedFd, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
    let value = socket.as_raw_fd();
    let attributes = MapUpdate {
        map: map.as_raw_fd() as u32,
        key: address_of(&queue),
        value: address_of(&value),
        ..MapUpdate::default()
    };
    call(MAP_UPDATE, &attributes).map(drop)
}

/// Have the kernel verify and compile a program.
pub(crate) fn load(instructions: &[Instruction]) -> io::Result<OwnedFd> {
    let attributes = ProgramLoad {
        kind: PROGRAM_XDP,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr().expose_provenance() as u64,
        license: address_of(LICENSE),
        name: *NAME,
        ..ProgramLoad::default()
    };
    make(PROGRAM_LOAD, &attributes)
}

/// Have the driver of a device run a program until the link is closed.
pub(crate) fn attach(program: &OwnedFd, device: u32) -> io::Result<OwnedFd> {
    let attributes = LinkCreate {
        program: program.as_raw_fd() as u32,
        device,
        attach: ATTACH_XDP,
        flags: BY_DRIVER,
    };
    make(LINK_CREATE, &attributes)
}

fn address_of<T>(value: &T) -> u64 {
    std::ptr::from_ref(value).expose_provenance() as u64
}

/// A call that returns a descriptor.
fn make<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let descriptor = call(command, attributes)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows of it. It closes on exec.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: `attributes` are of the layout that `command` wants and of the length that is stated; what they
    // point to is borrowed by the callers until this returns, and exposed. The kernel reads, and writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            mem::size_of::<T>(),
        )
    };
    match result {
        0.. => Ok(result as libc::c_int),
        _ => Err(io::Error::last_os_error()),
    }
}

"""Ways out of a jail, as a hostile module would try them, each with its name.

This file is the `service.py` of such a module. What a packet's metadata names is tried; the answer
carries what it came to. Calls of the kernel have arguments that do no harm where they are let
through: there they fail for another reason than EPERM, which tells that an attempt is sound.
"""

import random

from msgspec.structs import replace

from ei.sdk import DropPacket, SendPacket, Service

os = random._os
sys = os.sys
EPERM = 1
GONE = -1 % 2**64
PATH = -100 % 2**64


def main(name):
    """Try one; return `got ...` when it came to something, `denied ...` when not."""
    try:
        return f"got {ATTEMPTS[name]()!r}"
    except OSError as error:
        is_denied = error.errno == EPERM or os.strerror(EPERM) in str(error)
        return f"{'denied' if is_denied else 'reached'} {error!r}"
    except Exception as error:
        return f"denied {error!r}"


def raw(number, *arguments):
    """Return an attempt: a call of the kernel by number, as machine code would make it."""

    def attempt():
        ctypes = sys.modules["ctypes"]
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        result = libc.syscall(number, *(ctypes.c_ulong(each) for each in arguments))
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    return attempt


def fd_of(kind):
    """Return a descriptor that this process has."""
    for fd in range(64):
        try:
            if kind(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise LookupError("no such descriptor")


def a_socket():
    stat = sys.modules["stat"]
    return fd_of(stat.S_ISSOCK)


def on_socket(number, *arguments):
    return lambda: raw(number, a_socket(), *arguments)()


def inherited():
    """Look for descriptors that are no sockets or pipes of ours, no store and not nothing."""
    stat = sys.modules["stat"]
    found = []
    for fd in range(1_024):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if not (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode) or fd == 0):
            found.append(fd)
    if len(found) > 1:  # the store's file, and its log
        store = [fd for fd in found if stat.S_ISREG(os.fstat(fd).st_mode)]
        if len(store) > 2 or len(found) > len(store):
            return found
    raise PermissionError(EPERM, "nothing but what is ours")


def finest_step():
    """Measure the clock: what is finer than a millisecond is a way out."""
    time = sys.modules["time"]
    steps = []
    for _ in range(3):
        before = time.perf_counter()
        while (now := time.perf_counter()) == before:
            pass
        steps.append(now - before)
    if min(steps) < 0.001:
        return min(steps)
    raise PermissionError(EPERM, "coarse")


def cpu_time():
    time = sys.modules["time"]
    taken = time.process_time()
    if taken > 0:
        return taken
    raise PermissionError(EPERM, "no such clock")


def by_subclasses():
    for each in ().__class__.__base__.__subclasses__():
        if each.__name__ == "_wrap_close":
            return each.__init__.__globals__["popen"]("id").read()
    raise LookupError("no such class")


def by_frames():
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_builtins["open"]("/etc/passwd").read()


def by_ctypes():
    ctypes = sys.modules["ctypes"]
    libc = ctypes.CDLL(None, use_errno=True)
    if (fd := libc.open(b"/etc/passwd", 0)) < 0:
        raise OSError(ctypes.get_errno(), "open")
    return fd


def a_library():
    return sys.modules["ctypes"].CDLL("libthread_db.so.1")._name


def own_code():
    """Have memory that runs what is written there."""
    ctypes = sys.modules["ctypes"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, 4096, 7, 0x22, -1, 0)
    if at in (None, GONE):
        raise OSError(ctypes.get_errno(), "mmap")
    return at


def make_executable():
    ctypes = sys.modules["ctypes"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, 4096, 3, 0x22, -1, 0)
    if libc.mprotect(ctypes.c_void_p(at), 4096, 5):
        raise OSError(ctypes.get_errno(), "mprotect")
    return at


def start_thread():
    return sys.modules["_thread"].start_new_thread(os.getpid, ())


def imported(name):
    def attempt():
        return sys.modules["importlib"].import_module(name).__name__

    return attempt


ATTEMPTS = {
    # files
    "read a file of the system": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "write a file": lambda: os.open("/tmp/ei-escaped", os.O_CREAT | os.O_WRONLY),
    "open a device": lambda: os.open("/dev/kmsg", os.O_RDONLY),
    "open memory of the machine": lambda: os.open("/dev/mem", os.O_RDONLY),
    "read its own map": lambda: os.open("/proc/self/maps", os.O_RDONLY),
    "read the environment of another": lambda: os.open("/proc/1/environ", os.O_RDONLY),
    "write its own memory by a file": lambda: os.open("/proc/self/mem", os.O_RDWR),
    "read the system's settings": lambda: os.open("/sys/kernel/mm", os.O_RDONLY),
    "open the terminal": lambda: os.open("/dev/tty", os.O_RDWR),
    "openat2": raw(437, PATH, 0, 0, 24),
    "creat": raw(85, 0, 0o600),
    "open by handle": raw(304, GONE, 0, 0),
    "make a handle": raw(303, PATH, 0, 0, 0, 0),
    "is there a file": lambda: os.access("/etc/passwd", os.F_OK) or raw(21, 0, 0)(),
    "look at a file": lambda: os.stat("/etc/passwd").st_size,
    "look at a file by statx": raw(332, PATH, 0, 0, 0, 0),
    "list a folder": lambda: len(os.listdir("/etc")),
    "follow a link": lambda: os.readlink("/proc/self/exe"),
    "make a folder": raw(83, 0, 0o700),
    "remove a file": raw(87, 0),
    "remove a file at": raw(263, PATH, 0, 0),
    "rename a file": raw(82, 0, 0),
    "link a file": raw(86, 0, 0),
    "make a symbolic link": raw(88, 0, 0),
    "change a mode": raw(90, 0, 0o777),
    "change a mode of what is open": raw(91, GONE, 0o777),
    "change an owner": raw(92, 0, 0, 0),
    "cut a file by name": raw(76, 0, 0),
    "make a device": raw(133, 0, 0o20600, 0x103),
    "change the folder": raw(80, 0),
    "change the root": raw(161, 0),
    "mount": raw(165, 0, 0, 0, 0, 0),
    "unmount": raw(166, 0, 0),
    "pivot the root": raw(155, 0, 0),
    "open a tree": raw(428, PATH, 0, 0),
    "watch files": raw(253),
    "watch all files": raw(300, 0xFFFF, 0),
    "have a file in memory": raw(319, 0, 0),
    "ask for a file system": raw(137, 0, 0),
    "set an extended attribute": raw(188, 0, 0, 0, 0, 0),
    # network
    "a socket of IPv4": raw(41, 2, 1, 0),
    "a socket of IPv6": raw(41, 10, 1, 0),
    "a raw socket": raw(41, 17, 3, 0x300),
    "a socket of netlink": raw(41, 16, 3, 0),
    "a socket of this machine": raw(41, 1, 1, 0),
    "a pair of sockets": raw(53, 1, 1, 0, 0),
    "connect what is open": on_socket(42, 0, 0),
    "bind what is open": on_socket(49, 0, 0),
    "listen on what is open": raw(50, GONE, 1),
    "accept": raw(43, GONE, 0, 0),
    "send with descriptors": on_socket(46, 0, 0),
    "receive with descriptors": on_socket(47, 0, 0x40),
    "send to somebody": lambda: raw(44, a_socket(), 0, 0, 0x40, 8, 2)(),
    "send many": raw(307, GONE, 0, 0, 0),
    "set an option of a socket": raw(54, GONE, 1, 1, 0, 0),
    # processes
    "fork": lambda: os.fork() or os._exit(0),
    "clone": raw(56, 0x7FFFFFFF, 0, 0, 0, 0),
    "clone3": raw(435, 0, 0),
    "start a thread": start_thread,
    "run a program": raw(59, 0, 0, 0),
    "run a program at": raw(322, GONE, 0, 0, 0, 0),
    "signal the parent": lambda: os.kill(os.getppid() if OPEN else 1, 0),
    "signal everybody": lambda: os.kill(2**22 - 1 if OPEN else -1, 0) or 1,
    "signal a thread": raw(200, 2**22 - 1, 0),
    "signal a thread of a process": raw(234, 2**22 - 1, 2**22 - 1, 0),
    "queue a signal": raw(129, 2**22 - 1, 0, 0),
    "hold a process": raw(434, 2**22 - 1, 0),
    "signal what it holds": raw(424, GONE, 0, 0, 0),
    "take a descriptor of another": raw(438, GONE, 0, 0),
    "trace": raw(101, 2, 2**22 - 1, 0, 0),
    "read memory of another": raw(310, 2**22 - 1, 0, 0, 0, 0),
    "write memory of another": raw(311, 2**22 - 1, 0, 0, 0, 0),
    "compare with another": raw(312, 2**22 - 1, 2**22 - 1, 0, 0, 0),
    "advise memory of another": raw(440, GONE, 0, 0, 0, 0),
    "become another user": raw(105, 2**32 - 1),
    "become another group": raw(106, 2**32 - 1),
    "take groups": raw(116, 1, 0),
    "take capabilities": raw(126, 0, 0),
    "leave namespaces": raw(272, 0xFF),
    "enter namespaces": raw(308, GONE, 0),
    "lift a limit": raw(302, 0, 99, 0, 0),
    "go first": raw(141, 9, 0, 0),
    "choose a core": raw(203, 0, 0, 0),
    "change what it is": raw(157, 0x7FFF, 0, 0, 0, 0),
    "read the counter again": lambda: raw(157, 26, 1, 0, 0, 0)() or 1,
    "wait for children": raw(61, GONE, 0, 0x7000, 0),
    # the kernel
    "load a program into the kernel": raw(321, 99, 0, 0),
    "a ring of calls": raw(425, 0, 0),
    "enter a ring": raw(426, GONE, 0, 0, 0, 0, 0),
    "handle page faults": raw(323, 0x7FFFFFFF),
    "count the processor's events": raw(298, 0, 0, 0, 0, 0),
    "keys of the kernel": raw(250, 9_999, 0, 0, 0, 0),
    "add a key": raw(248, 0, 0, 0, 0, 0),
    "load a module": raw(175, 0, 0, 0),
    "load another kernel": raw(246, 0, 1, 0, 0xFF),
    "restart the machine": raw(169, 1, 2, 3, 0),
    "swap": raw(167, 0, 0),
    "read the kernel's log": raw(103, 99, 0, 0),
    "name the machine": raw(170, 0, 2**20),
    "set the time": raw(227, 99, 0),
    "turn the time": raw(305, 99, 0),
    "use ports of the machine": raw(172, 9),
    "change the tables of segments": raw(154, 99, 0, 0),
    # shared memory
    "attach shared memory": raw(30, GONE, 0, 0),
    "make shared memory": raw(29, 1, 0, 0),
    "make a queue": raw(240, 0, 0, 0, 0),
    "look at queues": raw(71, GONE, 2, 0),
    "look at semaphores": raw(66, GONE, 0, 12, 0),
    # time
    "a fine clock": lambda: raw(228, 1, 0)() or finest_step(),
    "the finest step of its clock": finest_step,
    "a clock of its CPU time": cpu_time,
    "what it has used": raw(98, 99, 0),
    "how long its CPU time is": lambda: raw(100, 0)() or 1,
    "a timer of its own": raw(222, 99, 0, 0),
    "stop the timer that cuts it": raw(38, 99, 0, 0),
    "delete the timer that cuts it": raw(226, 99),
    "sleep": raw(35, 0, 0),
    "a timer as a file": raw(283, 99, 0),
    "be deaf to signals": raw(13, 99, 0, 0, 8),
    "hold signals up": raw(14, 99, 1, 0, 8),
    "signals as a file": raw(289, GONE, 0, 8, 0),
    # descriptors
    "descriptors of others": inherited,
    "copy a descriptor": raw(32, GONE),
    "have a signal sent by a descriptor": lambda: raw(72, a_socket(), 8, 0)() or 1,
    "speak to a terminal": raw(16, GONE, 0x5412, 0),
    "splice": raw(275, GONE, 0, GONE, 0, 1, 0),
    "share pages": raw(278, GONE, 0, 0, 0x7FFF),
    "send a file": raw(40, GONE, GONE, 0, 1),
    # the language
    "by subclasses": by_subclasses,
    "by frames": by_frames,
    "by ctypes": by_ctypes,
    "load a library": a_library,
    "memory that runs": own_code,
    "make memory run": make_executable,
    "import what starts programs": imported("pty"),
    "import what opens archives": imported("tarfile"),
}

OPEN = False


class Escapes(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        global OPEN
        OPEN = event.packet.payload == b"open"
        name = event.packet.metadata.decode()
        if not name:
            yield DropPacket("unwanted")
            return
        found = replace(event.packet, payload=main(name).encode())
        yield SendPacket(found, event.packet.source)


SERVICE = Escapes

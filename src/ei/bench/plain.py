"""The baseline of every figure: a forwarder that reads nothing, and what feeds it.

`python -m ei.bench.plain forward BIND TO SPIN_US` and `... generate FROM TO BYTES SECONDS`.
"""

import socket
import sys
import time

import msgspec

from ei._core import PlainForwarder

SEGMENTS = 64
MOST_BYTES = 65_000


def forward(bind: str, to: str, spin_us: int) -> int:
    """Forward until the standard input ends; say the figures after each line of it."""
    forwarder = PlainForwarder(bind, to, spin_us=spin_us)
    forwarder.start()
    _say({"ready": True, "endpoint": forwarder.endpoint})
    for _ in sys.stdin:
        _say(forwarder.statistics())
    forwarder.stop()
    return 0


def generate(bind: str, to: str, size_bytes: int, seconds: float) -> int:
    """Wait for a line, then send datagrams in trains as fast as the system takes them."""
    host, port = to.rsplit(":", 1)
    own, own_port = bind.rsplit(":", 1)
    _say({"ready": True})
    if not sys.stdin.readline():
        return 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((own, int(own_port)))
        sender.connect((host, int(port)))
        # linux/udp.h: UDP_SEGMENT; Python has no name for it.
        sender.setsockopt(socket.IPPROTO_UDP, 103, size_bytes)
        count = min(SEGMENTS, MOST_BYTES // size_bytes)
        train = bytes(size_bytes * count)
        sent = 0
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            try:
                _ = sender.send(train)
            except ConnectionRefusedError:
                continue
            sent += count
    _say({"sent": sent, "seconds": seconds})
    return 0


def _say(message: object) -> None:
    _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
    _ = sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Run one role in this process."""
    match arguments:
        case ["forward", bind, to, spin_us]:
            return forward(bind, to, int(spin_us))
        case ["generate", bind, to, size_bytes, seconds]:
            return generate(bind, to, int(size_bytes), float(seconds))
        case _:
            _ = sys.stderr.write(
                f"{arguments}: forward BIND TO SPIN_US, or generate FROM TO BYTES SECONDS\n"
            )
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

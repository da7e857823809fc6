"""The baseline of a splice that QUIC takes part in: the same QUIC in plain datagrams.

`python -m ei.bench.plain_quic TO` gives whoever opens a stream what the TCP server `TO` says.
"""

import sys

import msgspec

from ei._core import PlainQuicForwarder
from ei.bench.splicing_node import HERE, HOST, NODE


def main(to: str) -> int:
    """Forward until the standard input ends; say the figures after each line of it."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    forwarder = PlainQuicForwarder(
        f"{HERE}:0", to, identity_key=NODE.identity_secret, peer_key=HOST.identity_key
    )
    forwarder.start()
    say({"endpoint": forwarder.endpoint})
    for _ in sys.stdin:
        say(forwarder.statistics())
    forwarder.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

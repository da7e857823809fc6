"""Both ends of what is spliced, in a process of its own: one gives bytes, the other takes them.

`python -m ei.bench.splicing_load BYTES` says on which TCP ports of the loopback it gives and takes.
For each line, the number of a port, it gives once and takes once: from a connection to that port,
or with 0 from one that comes to the port where it takes; it answers with what arrived. With `null`
it only gives.
"""

import socket
import sys
import time
from threading import Thread

import msgspec

HERE = "127.0.0.1"
PIECE = bytes(1 << 20)
LIMIT_S = 60.0
CONNECT_LIMIT_S = 5.0


def give(server: socket.socket, amount_bytes: int) -> None:
    """Give to the next connection, and wait for its end."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(LIMIT_S)
        for start in range(0, amount_bytes, len(PIECE)):
            connection.sendall(memoryview(PIECE)[: amount_bytes - start])
        connection.shutdown(socket.SHUT_WR)
        _ = connection.recv(1)


def take(connection: socket.socket) -> int:
    """Return how many bytes come to the end."""
    received = 0
    buffer = bytearray(len(PIECE))
    with connection:
        connection.settimeout(LIMIT_S)
        while length := connection.recv_into(buffer):
            received += length
    return received


def connected(port: int) -> socket.socket:
    """Connect, also to who is about to listen.

    Raises:
        ConnectionRefusedError: nobody did for five seconds.
    """
    ends_s = time.monotonic() + CONNECT_LIMIT_S
    while True:
        try:
            return socket.create_connection((HERE, port))
        except ConnectionRefusedError:
            if time.monotonic() > ends_s:
                raise
            time.sleep(0.02)


def main(amount_bytes: int) -> int:
    """Give and take until the standard input ends."""

    def say(message: object) -> None:
        _ = sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
        _ = sys.stdout.flush()

    with socket.create_server((HERE, 0)) as giving, socket.create_server((HERE, 0)) as taking:
        say({"giving": giving.getsockname()[1], "taking": taking.getsockname()[1]})
        for line in sys.stdin:
            giver = Thread(target=give, args=(giving, amount_bytes), daemon=True)
            giver.start()
            port = msgspec.json.decode(line, type=int | None)
            if port is not None:
                say({"received": take(connected(port) if port else taking.accept()[0])})
            giver.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

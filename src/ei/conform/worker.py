"""A worker as a process of its own: `python -m ei.conform.worker PARENT SOCKET ... WORDS < order`.

Its arguments are its parent's process id and descriptors: the sockets, then the pipe for what it
says of its jail and its end.
"""

import socket
import sys

import msgspec

from ei.errors import EiError
from ei.runtime.mortality import die_with_parent
from ei.runtime.voices import Jailed, LastWords, say
from ei.runtime.worker import WorkerOrder, run_worker


def main(words: list[str]) -> int:
    """Be the worker until the sockets bring no more; return the exit code."""
    parent, *sockets, writer = map(int, words)
    die_with_parent(parent)
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=WorkerOrder)
    ends = [socket.socket(fileno=descriptor) for descriptor in sockets]
    try:
        run_worker(order, ends, lambda jail: say(writer, Jailed(jail)))
    except EiError as error:
        say(writer, LastWords(f"{error} {error.remedy}".strip()))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

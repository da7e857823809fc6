"""A process dies with its parent."""

import os
import signal

from ei.runtime.mortality import die_with_parent


def test_a_process_dies_with_its_parent() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        # A process of its own, so that its death is not the test's.
        middle = os.getpid()
        if os.fork() == 0:
            die_with_parent(middle)
            _ = os.write(writing, b"x")
            _ = signal.pause()
        os.close(writing)
        _ = os.read(reading, 1)
        os._exit(0)
    os.close(writing)

    _ = os.waitpid(parent, 0)

    # The end of the file comes when the last process that holds the pipe is gone.
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_a_parent_that_died_before_is_noticed() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        die_with_parent(os.getpid())
        _ = os.write(writing, b"x")
        os._exit(0)
    os.close(writing)

    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert os.read(reading, 1) == b""
    os.close(reading)

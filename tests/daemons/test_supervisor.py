"""A daemon dies with its supervisor."""

import os
import signal

from ei.daemons.supervisor import die_with_parent, is_inherited


def test_a_process_dies_with_its_parent() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        # A process of its own, so that its death is not the test's.
        middle = os.getpid()
        if os.fork() == 0:
            die_with_parent(middle, with_signal=signal.SIGKILL)
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
        die_with_parent(os.getpid(), with_signal=signal.SIGKILL)
        _ = os.write(writing, b"x")
        os._exit(0)
    os.close(writing)

    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_a_descriptor_is_open_or_not() -> None:
    reading, writing = os.pipe()
    os.close(writing)

    assert is_inherited(reading)
    assert not is_inherited(writing)
    os.close(reading)

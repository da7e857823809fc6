"""Programs of others are run, and what they say is understood."""

import asyncio
import os

import pytest

from ei.errors import LocalError
from ei.scenarios.termination.foreign import Programs, answered_of
from ei.scenarios.termination.ground import Ground

PROGRAMS = Programs(dict(os.environ), Ground("127.0.0.1", {}))


def test_h2load_says_how_many_requests_were_answered() -> None:
    line = b"requests: 400 total, 400 started, 400 done, 399 succeeded, 1 failed, 0 errored\n"

    assert answered_of(line) == 399


def test_h2load_that_says_nothing_of_the_kind_is_an_error() -> None:
    with pytest.raises(LocalError, match="h2load says 'could not connect'"):
        answered_of(b"could not connect")


def test_what_a_program_prints_is_returned() -> None:
    assert asyncio.run(PROGRAMS.run("printf", "hello")) == b"hello"


def test_a_program_that_fails_is_an_error_with_what_it_said() -> None:
    with pytest.raises(LocalError, match="sh ended with 3: no"):
        asyncio.run(PROGRAMS.run("sh", "-c", "echo no >&2; exit 3"))

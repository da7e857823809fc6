"""Errors are sorted by blame, know their exit code, and may carry a remedy."""

import inspect
import traceback

from ei import errors
from ei.cli.exits import Exit
from ei.errors import DeadlineError, EiError, LocalError, PeerError, ServiceError, StreamError


def kinds() -> list[type[EiError]]:
    return [
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, EiError)
    ]


def test_every_exit_code_is_one_of_the_table() -> None:
    assert {kind.exit_code for kind in kinds()} <= set(Exit)


def test_each_kind_has_its_exit_code() -> None:
    codes = {kind.__name__: Exit(kind.exit_code) for kind in kinds()}

    assert codes["NotFoundError"] is Exit.NEGATIVE
    assert codes["UnreachableError"] is Exit.UNREACHABLE
    assert codes["DeniedError"] is Exit.REFUSED
    assert codes["DeadlineError"] is Exit.TIMEOUT
    assert codes["ConflictError"] is Exit.CONFLICT
    assert codes["IntegrityError"] is Exit.INTEGRITY
    assert codes["LimitError"] is Exit.LIMIT


def test_a_deadline_is_a_timeout_to_those_who_know_only_that() -> None:
    assert issubclass(DeadlineError, TimeoutError)


def test_nothing_is_blamed_twice() -> None:
    for kind in kinds():
        blamed = [issubclass(kind, blame) for blame in (LocalError, PeerError, ServiceError)]
        assert sum(blamed) <= 1


def test_a_remedy_comes_along() -> None:
    error = StreamError("it ended", kind="reset", remedy="try again")

    assert (str(error), error.kind, error.remedy) == ("it ended", "reset", "try again")


def test_who_sees_a_traceback_sees_the_remedy() -> None:
    error = EiError("no host.toml in /etc/ei", remedy="Write one: ei host init")

    assert traceback.format_exception(error)[-1] == "Write one: ei host init\n"

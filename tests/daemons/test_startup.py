"""What the system refuses at start is said with its remedy."""

import errno
from typing import Never

import pytest

from ei.daemons.startup import explained
from ei.errors import ConfigError, ConflictError, DeniedError, EiError, LimitError


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, LimitError),
        (errno.EMFILE, LimitError),
        (errno.EACCES, DeniedError),
        (errno.EROFS, DeniedError),
        (errno.ENOTDIR, ConfigError),
    ],
)
def test_a_refusal_becomes_an_error_of_its_kind(number: int, kind: type[EiError]) -> Never:
    with (
        pytest.raises(kind, match="cannot write the state /x: said"),
        explained("cannot write the state"),
    ):
        raise OSError(number, "said", "/x")


def test_our_own_errors_pass() -> Never:
    with pytest.raises(ConflictError, match="taken"), explained("cannot write"):
        raise ConflictError("taken")

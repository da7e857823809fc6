"""An exit is forced by what leaves no choice."""

import pytest

from ei.errors import DeniedError
from ei.scenarios.relay.ground import only
from ei.sdk import Address

EXIT = Address(b"e" * 16)


def test_one_exit_is_tried_once_and_no_other() -> None:
    choose = only(EXIT)

    assert choose(frozenset()) == EXIT
    with pytest.raises(DeniedError):
        _ = choose(frozenset({EXIT}))

"""Words of admin requests become bytes, or are refused."""

from typing import TYPE_CHECKING

import pytest

from ei.errors import LocalError
from ei.host.names import bytes_of, metadata_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ei.lab.simulation import Simulation

    InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


def test_metadata_is_hexadecimal_or_the_address_of_a_name(in_lab: "InLab") -> None:
    async def script(lab: "Simulation") -> None:
        alice = lab.host("alice")

        assert await metadata_of(alice, "") == b""
        assert await metadata_of(alice, "00ff") == b"\x00\xff"
        assert await metadata_of(alice, "bob.right") == lab.host("bob").address
        with pytest.raises(LocalError, match="neither hexadecimal nor a name"):
            _ = await metadata_of(alice, "nobody")

    in_lab(script)


def test_bytes_are_hexadecimal() -> None:
    assert bytes_of("c0", what="message") == b"\xc0"
    with pytest.raises(LocalError, match="message 'c' is not hexadecimal"):
        _ = bytes_of("c", what="message")

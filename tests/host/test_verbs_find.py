"""`find` says who has a name or an address, and for how long that counts."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from ei.daemons.messages import Request
from ei.errors import NotFoundError
from ei.host.verbs_find import FindVerbs, Found, find_who
from ei.lab.simulation import Simulation
from ei.records.addresses import format_address

InLab = Callable[[Callable[[Simulation], Coroutine[Any, Any, None]]], None]


async def found(lab: Simulation, to: str) -> Found:
    alice = lab.host("alice")
    known = alice.records.domains["left"].expires_unix_s
    verbs = FindVerbs(alice, lambda: known - 1_000.0)
    [answer] = [each async for each in verbs.find(Request("find", {"to": to}))]
    assert answer["schema"] == "ei.found/1"
    return msgspec.convert(answer, Found)


def test_a_host_of_another_domain_is_found_by_name_and_by_address(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        address = format_address(lab.host("bob").address)

        by_name, by_address = await found(lab, "bob.right"), await found(lab, address)

        assert (by_name.name, by_name.address) == ("bob.right", address)
        assert by_name == by_address
        assert by_name.lifetime_s > 0

    in_lab(script)


def test_a_domain_is_found_without_an_address(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        assert await found(lab, "left") == Found("left", "", 1_000.0)

    in_lab(script)


def test_what_is_not_there_is_not_found(in_lab: InLab) -> None:
    async def script(lab: Simulation) -> None:
        with pytest.raises(NotFoundError, match="its domain says that there is none"):
            _ = await find_who(lab.host("alice"), "nobody.right", deadline_s=1, unix_s=0)

    in_lab(script)

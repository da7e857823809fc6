from pathlib import Path

import pytest
from tests.conform.planted import HONEST

from ei.conform.breaking import FullDisk, Switch, breakable
from ei.errors import LimitError, ServiceError
from ei.runtime.environment import Environment
from ei.runtime.loader import load_service
from ei.sdk import Address
from ei.testing.toys import toy_packet

NODE = Address(b"n" * 16)


@pytest.mark.parametrize("after", [0, 1, 9])
def test_an_event_breaks_off_where_the_switch_says(after: int, tmp_path: Path) -> None:
    switch = Switch()
    loaded = breakable(load_service(HONEST.plant(tmp_path)), switch)
    environment = Environment(loaded, node=NODE, seed=b"1")
    empty = environment.state_digest()
    switch.after = after

    with pytest.raises(ServiceError, match="BrokenOffError"):
        _ = environment.deliver(toy_packet(), now_s=1.0)

    assert environment.state_digest() == empty


def test_without_it_the_event_is_the_modules_own(tmp_path: Path) -> None:
    loaded = load_service(HONEST.plant(tmp_path))
    own, through = (
        Environment(each, node=NODE, seed=b"1") for each in (loaded, breakable(loaded, Switch()))
    )

    effects = [each.deliver(toy_packet(), now_s=1.0) for each in (own, through)]

    assert effects[0] == effects[1]
    assert own.state_digest() == through.state_digest()


def test_a_full_disk_keeps_nothing() -> None:
    disk = FullDisk(limit_bytes=100)
    disk.commit()
    disk.is_full = True

    with pytest.raises(LimitError, match="full"):
        disk.commit()

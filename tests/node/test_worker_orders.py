"""What workers are told, of services of ours and of others."""

from pathlib import Path

import pytest

from ei.node.worker_orders import limit_s_of, order_of
from ei.runtime.jail import LAYERS, OF_OURS
from ei.runtime.loader import load_service
from ei.runtime.worker import WorkerOrder
from ei.sdk import Address, Manifest

NODE = Address(b"n" * 16)


def order(*, is_jailed: bool = True, copies: int = 0) -> WorkerOrder:
    return order_of(
        load_service("echo"),
        node=NODE,
        store=Path("/state"),
        config={"echo": {"word": 1}, "dns": {}},
        is_jailed=is_jailed,
        trusted=(),
        copies=copies,
    )


def test_a_worker_of_ours_is_trusted_and_has_its_store_and_values() -> None:
    told = order()

    assert (told.store, told.layers, told.is_trusted) == ("/state/echo.sqlite", OF_OURS, True)
    assert told.config == {"word": 1}
    assert order(copies=2).store == "/state/echo.replica"


def test_without_a_jail_no_layer_is_asked_for() -> None:
    assert order(is_jailed=False).layers == ()
    assert LAYERS


@pytest.mark.parametrize(("tier", "limit_s"), [("nano", 1.25), ("heavy", 6.0)])
def test_a_start_may_take_the_cpu_time_of_its_tier_and_a_wait(tier: str, limit_s: float) -> None:
    manifest = Manifest(id=17, name="echo", version="1.0.0", summary="x", tier=tier)  # type: ignore[arg-type]

    assert limit_s_of(manifest, 1.0) == limit_s

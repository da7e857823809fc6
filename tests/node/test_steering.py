"""Packets of a service go to the member that owns its state."""

from pathlib import Path

from ei.node.config import NodeConfig
from ei.node.steering import Steering
from ei.runtime.loader import load_service
from ei.sdk import load_manifest
from ei.sdk.packets import Address

ME, OTHER = Address(b"m" * 16), Address(b"o" * 16)
FOLDER = Path(str(load_service("reach").folder)).parent
ECHO, REACH, PUBSUB = (load_manifest(FOLDER / name) for name in ("echo", "reach", "pubsub"))
CONFIG = NodeConfig(version=1, name="sn1.isp-a", domain_number=1, binds=("127.0.0.1:1",))


def steering(
    chains: list[tuple[int, list[int]]], *, config: NodeConfig = CONFIG, has_reach: bool = True
) -> Steering:
    manifests = {"echo": ECHO} | ({"reach": REACH} if has_reach else {})
    return Steering(
        config,
        manifests,
        me=ME,
        services=frozenset({ECHO.id}),
        set_chain=lambda service, chain: chains.append((service, chain)),
    )


def test_until_this_node_owns_it_packets_are_carried_on() -> None:
    chains: list[tuple[int, list[int]]] = []
    steers = steering(chains)

    steers.follow({})
    steers.follow({ECHO.id: OTHER})
    steers.follow({ECHO.id: ME})
    steers.follow({ECHO.id: ME})
    steers.follow({ECHO.id: OTHER})

    away = (ECHO.id, [REACH.id, ECHO.id])
    assert chains == [away, (ECHO.id, [ECHO.id]), away]


def test_who_carries_packets_is_told_before_it_gets_them_and_after_it_got_the_last() -> None:
    chains: list[tuple[int, list[int]]] = []
    told: list[int] = []
    steers = steering(chains)
    steers.follow({}, between=lambda: told.append(len(chains)))

    steers.follow({ECHO.id: ME}, between=lambda: told.append(len(chains)))
    steers.follow({ECHO.id: OTHER}, between=lambda: told.append(len(chains)))

    assert told == [0, 2, 2]


def test_the_operators_own_chain_stays() -> None:
    chains: list[tuple[int, list[int]]] = []
    config = NodeConfig(
        version=1,
        name="sn1.isp-a",
        domain_number=1,
        binds=("127.0.0.1:1",),
        chains={"echo": ("reach", "echo")},
    )
    steers = steering(chains, config=config)

    steers.follow({ECHO.id: OTHER})
    steers.follow({ECHO.id: ME})

    assert chains[-1] == (ECHO.id, [REACH.id, ECHO.id])


def test_without_the_service_that_carries_them_on_nothing_changes() -> None:
    chains: list[tuple[int, list[int]]] = []

    steering(chains, has_reach=False).follow({ECHO.id: OTHER})

    assert chains == []


def test_streams_end_at_this_node_whoever_owns_the_state() -> None:
    chains: list[tuple[int, list[int]]] = []
    steers = Steering(
        CONFIG,
        {"pubsub": PUBSUB, "reach": REACH},
        me=ME,
        services=frozenset({PUBSUB.id}),
        set_chain=lambda service, chain: chains.append((service, chain)),
    )

    steers.follow({PUBSUB.id: OTHER})

    assert chains == []

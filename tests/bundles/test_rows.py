"""What the datapath of a node is told of a bundle, by the services that run there."""

from pathlib import Path

import pytest
from msgspec import structs
from tests.bundles.toys import TOYS, check, inner

from ei.bundles import Rows, rows_of
from ei.errors import ConfigError

Chains = dict[str, tuple[str, ...]]


def rows(folder: Path, *services: str, chains: Chains | None = None) -> Rows:
    checked = check(folder, *services)
    assert checked.chain is not None
    return rows_of(checked.bundle, checked.chain, TOYS, chains=chains or {})


def ids(*names: str) -> tuple[int, ...]:
    return tuple(TOYS[name].id for name in names)


def test_each_service_runs_where_its_place_is(tmp_path: Path) -> None:
    found = rows(tmp_path, "query at first", "squeeze", "delivery", "squeeze", "decrypt at last")

    assert found.first == ids("query", "squeeze", "delivery")
    assert found.later == ids("squeeze", "delivery")
    assert (found.to_nodes, found.to_hosts) == (ids("squeeze"), ids("decrypt"))
    assert found.sender == TOYS["delivery"].id
    assert found.visited == set(found.first)
    assert found.behind == set(ids("squeeze", "decrypt"))


def test_what_the_operator_interposes_is_not_evaded_by_naming_a_bundle(tmp_path: Path) -> None:
    chains = {"query": ("hide", "query"), "delivery": ("telemetry", "squeeze", "delivery")}

    found = rows(tmp_path, "query", "squeeze", "delivery", chains=chains)

    assert found.first == ids("hide", "telemetry", "squeeze", "query", "delivery")
    assert found.visited == set(ids("query", "squeeze", "delivery"))


def test_a_service_that_does_not_run_here_is_named(tmp_path: Path) -> None:
    checked = check(tmp_path, "query", "delivery")
    assert checked.chain is not None
    without = {name: manifest for name, manifest in TOYS.items() if name != "query"}

    with pytest.raises(ConfigError, match="bundles: mine needs query, which does not run") as said:
        _ = rows_of(checked.bundle, checked.chain, without, chains={})

    assert said.value.remedy == "Add 'query' to services."


def test_a_row_that_the_operator_makes_too_long_is_refused(tmp_path: Path) -> None:
    names = ("telemetry", "compress", "decompress", "encrypt", "decrypt", "hide", "cache")

    with pytest.raises(ConfigError, match="are 9 services, 8 allowed: telemetry, compress"):
        _ = rows(tmp_path, "query", "delivery", chains={"delivery": (*names, "delivery")})


def test_rows_know_whom_a_version_of_a_service_does_not_suit(tmp_path: Path) -> None:
    small = inner(tmp_path, "small", "squeeze", "delivery")
    (squeeze, delivery) = small.services
    strict = structs.replace(small, services=(structs.replace(squeeze, version="<1.3"), delivery))
    checked = check(tmp_path, "telemetry", "small", bundles={"small": strict})
    assert checked.chain is not None

    found = rows_of(checked.bundle, checked.chain, TOYS, chains={})

    assert found.inner == {"small": strict}
    assert found.refuser_of(structs.replace(TOYS["squeeze"], version="1.2.9")) is None
    assert found.refuser_of(structs.replace(TOYS["squeeze"], version="1.3.0")) == (
        strict,
        strict.services[0],
    )

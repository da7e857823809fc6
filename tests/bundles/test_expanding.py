"""What a bundle comes to, and why it comes to nothing."""

from pathlib import Path

import pytest
from tests.bundles.toys import TOYS, check, fault, inner, toy, write_bundle

from ei.bundles import Known, check_bundle


def test_what_sends_parts_what_is_visited_from_what_stands_before_the_pipe(tmp_path: Path) -> None:
    chain = check(tmp_path, "telemetry", "squeeze", "delivery", "squeeze").chain

    assert chain is not None
    assert [link.name for link in chain.visits] == ["telemetry", "squeeze", "delivery"]
    assert [link.name for link in chain.behind] == ["squeeze"]


def test_a_bundle_in_a_bundle_is_expanded(tmp_path: Path) -> None:
    small = inner(tmp_path, "small", "squeeze", "delivery", "squeeze")

    checked = check(tmp_path, "telemetry", "small", bundles={"small": small})

    assert not checked.faults
    assert checked.chain is not None
    assert [(link.name, link.via) for link in checked.chain.links] == [
        ("telemetry", ("mine",)),
        ("squeeze", ("mine", "small")),
        ("delivery", ("mine", "small")),
        ("squeeze", ("mine", "small")),
    ]


def test_a_loop_is_refused_by_the_way_it_goes(tmp_path: Path) -> None:
    there, back = inner(tmp_path, "there", "back"), inner(tmp_path, "back", "mine")

    (found,) = check(tmp_path, "there", bundles={"there": there, "back": back}).faults

    assert (found.code, found.line) == ("loop", 7)
    assert found.said == "mine would contain itself: mine → there → back → mine"
    assert found.fix == "Take mine out of back."


def test_a_bundle_that_names_itself_is_a_loop(tmp_path: Path) -> None:
    assert fault(tmp_path, "telemetry", "mine", "delivery").code == "loop"


def test_bundles_that_double_each_other_end(tmp_path: Path) -> None:
    bundles = {f"b{at}": inner(tmp_path, f"b{at}", *[f"b{at + 1}"] * 16) for at in range(6)} | {
        "b6": inner(tmp_path, "b6", "telemetry")
    }

    checked = check(tmp_path, "b0", bundles=bundles)

    assert [found.code for found in checked.faults] == ["too_long"]


@pytest.mark.parametrize(
    ("services", "code", "line", "said"),
    [
        (("nothing", "delivery"), "unknown_service", 7, "no service or bundle is called 'nothing'"),
        (("telemetry", "query"), "no_sender", 6, "no service of it sends"),
        (
            ("delivery", "query", "hide at last", "delivery"),
            "two_senders",
            14,
            "delivery would never get a packet: delivery before it hands none on",
        ),
        (("query", "query", "delivery"), "twice", 9, "query twice up to delivery"),
        (("delivery", "query"), "misplaced", 9, "query cannot stand before a pipe"),
        (("squeeze at last", "delivery"), "misplaced", 7, "which delivery first has to choose"),
        (("delivery", "squeeze at first"), "misplaced", 9, "is to run at the first node"),
        (("delivery at first",), "misplaced", 7, "delivery sends, and so runs at every node"),
    ],
)  # fmt: skip
def test_what_the_datapath_could_not_run_is_refused(
    tmp_path: Path, services: tuple[str, ...], code: str, line: int, said: str
) -> None:
    found = fault(tmp_path, *services)

    assert (found.code, found.line) == (code, line)
    assert said in found.said
    assert found.fix


def test_a_chain_is_no_longer_than_the_datapath_takes(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(8)]
    known = Known(TOYS | {name: toy(name) for name in names}, {})
    folder = write_bundle(tmp_path, *names, "delivery")

    (found,) = check_bundle(folder, known).faults

    assert (found.code, found.said) == ("too_long", "9 services up to delivery, 8 allowed")


def test_a_release_out_of_range_is_refused_by_what_is_here(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path, "delivery")
    with (folder / "bundle.toml").open("a") as file:
        _ = file.write('version = ">=2"\n')

    (found,) = check_bundle(folder, Known(TOYS, {})).faults

    assert (found.code, found.said) == ("wrong_version", "delivery is 0.1.0 here, >=2 allowed")


def test_a_bundle_in_a_bundle_says_itself_where_it_runs(tmp_path: Path) -> None:
    small = inner(tmp_path, "small", "delivery")

    (found,) = check(tmp_path, "small at first", bundles={"small": small}).faults

    assert (found.code, found.fix) == ("misplaced", "Leave at out.")


def test_the_parts_of_a_bundle_are_those_within_it_too(tmp_path: Path) -> None:
    small = inner(tmp_path, "small", "squeeze", "delivery")

    chain = check(tmp_path, "telemetry", "small", bundles={"small": small}).chain

    assert chain is not None
    assert [(bundle.name, part.name) for bundle, part in chain.parts] == [
        ("mine", "telemetry"),
        ("mine", "small"),
        ("small", "squeeze"),
        ("small", "delivery"),
    ]

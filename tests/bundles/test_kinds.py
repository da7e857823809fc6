"""Orders that are allowed, and each rule planted the wrong way round."""

from pathlib import Path

import pytest
from tests.bundles.toys import TOYS, check, fault, toy, write_bundle

from ei.bundles import Known, check_bundle


@pytest.mark.parametrize(
    "services",
    [
        ("telemetry", "delivery"),
        ("squeeze", "delivery", "squeeze"),
        (
            "query at first", "compress at first", "encrypt at first", "delivery",
            "decrypt at last", "decompress at last",
        ),
        ("query at first", "encrypt at first", "delivery", "decrypt at last"),
    ],
)  # fmt: skip
def test_what_fits_is_let_through(tmp_path: Path, services: tuple[str, ...]) -> None:
    assert check(tmp_path, *services).faults == ()


def test_what_is_sealed_is_decrypted_before_it_is_queried(tmp_path: Path) -> None:
    found = fault(tmp_path, "query", "decrypt", "delivery", extra='takes = "sealed"')

    assert (found.code, found.line) == ("wrong_kind", 7)
    assert (
        found.said == "query takes plain, and at the first node what comes from the host is sealed"
    )


def test_an_order_that_fits_is_the_fix(tmp_path: Path) -> None:
    found = fault(
        tmp_path, "query at first", "decrypt at first", "delivery", extra='takes = "sealed"'
    )

    assert found.fix == "This order fits: decrypt, query, delivery."


def test_what_is_encrypted_is_compressed_no_more(tmp_path: Path) -> None:
    found = fault(
        tmp_path,
        "encrypt at first",
        "compress at first",
        "delivery",
        extra='gives = "sealed"',
    )

    assert (found.code, found.line) == ("wrong_kind", 10)
    said = "compress takes plain, and at the first node what comes from encrypt is sealed"
    assert found.said == said
    assert found.fix == "This order fits: compress, encrypt, delivery."


def test_what_is_private_is_cached_nowhere(tmp_path: Path) -> None:
    found = fault(
        tmp_path, "hide at first", "cache at first", "delivery", extra='gives = "private"'
    )

    assert found.code == "wrong_kind"
    assert found.said == "cache takes plain, and at the first node what comes from hide is private"
    assert found.fix == "This order fits: cache, hide, delivery."


def test_nothing_makes_plain_again_what_is_private(tmp_path: Path) -> None:
    found = fault(tmp_path, "hide at first", "decrypt at first", "cache at first", "delivery")

    assert (
        found.said == "decrypt takes sealed, and at the first node what comes from hide is private"
    )
    assert found.fix.startswith("No order of these services fits, and no service known here makes")


def test_a_chain_has_to_fit_at_the_next_node_too(tmp_path: Path) -> None:
    found = fault(tmp_path, "query", "encrypt", "delivery", extra='gives = "sealed"')

    assert (
        found.said
        == "query takes plain, and at the next node what comes from the node before is sealed"
    )
    assert found.fix == "Put before it what makes plain of it: decrypt."


def test_what_the_host_at_the_other_end_gets_is_what_is_said(tmp_path: Path) -> None:
    found = fault(tmp_path, "compress at first", "delivery", extra='gives = "plain"')

    assert (found.code, found.line) == ("wrong_end", 5)
    assert found.said == (
        "a host at the first node would get what is compressed; the bundle says that it gives plain"
    )
    assert found.fix == 'Say gives = "compressed", or put in a service that gives plain.'


def test_what_is_within_a_seal_is_there_behind_it(tmp_path: Path) -> None:
    found = fault(tmp_path, "compress at first", "encrypt at first", "delivery", "decrypt at last")

    assert (found.code, found.said[:57]) == (
        "wrong_end",
        "a host at the first node would get what is compressed; th",
    )


def test_what_is_put_around_at_each_node_ends_somewhere(tmp_path: Path) -> None:
    wraps = (toy("wrap", ["plain", "sealed"], "compressed"), toy("seal", ["compressed"], "sealed"))
    known = Known(TOYS | {each.name: each for each in wraps}, {})
    folder = write_bundle(tmp_path, "wrap", "seal", "delivery", extra='gives = "sealed"')

    assert check_bundle(folder, known).faults == ()


def test_many_services_that_do_not_fit_are_refused_at_once(tmp_path: Path) -> None:
    found = fault(
        tmp_path, *["telemetry"], "hide", "query", "cache", "squeeze", "delivery", "squeeze"
    )

    assert found.code == "wrong_kind"

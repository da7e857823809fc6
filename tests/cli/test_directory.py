"""`ei directory` shows what a node knows, and looks up what it does not."""

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_a_directory_needs_a_node_that_runs(ei: Run) -> None:
    for words in (("show",), ("find", "bob.isp-b")):
        assert ei("directory", *words, "sn1.isp-a").code == Exit.UNREACHABLE


@pytest.mark.slow
def test_a_host_of_another_domain_is_found_with_its_node(lab: Run) -> None:
    said = lab("directory", "find", "bob.isp-b", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "host bob.isp-b" in said.out
    assert "attached to sn1.isp-b" in said.out
    document = lab("directory", "find", "bob.isp-b", "sn1.isp-a", "--json").document
    assert document["schema"] == "ei.directory-find/1"
    assert (document["kind"], document["nodes"]) == ("host", ["sn1.isp-b"])


@pytest.mark.slow
def test_what_is_not_there_is_said_by_its_domain(lab: Run) -> None:
    said = lab("directory", "find", "nobody.isp-b", "sn1.isp-a")
    unknown = lab("directory", "find", "nobody.isp-x", "sn1.isp-a")

    assert said.code == unknown.code == Exit.NEGATIVE
    assert "there is no nobody.isp-b: its domain says so" in said.out
    assert "no answer (unknown_domain)" in unknown.out


@pytest.mark.slow
def test_the_books_of_a_directory_are_shown(lab: Run) -> None:
    said = lab("directory", "show", "sn1.isp-a")

    assert said.code == Exit.OK, said.err
    assert "sn1.isp-a answers for its domain" in said.out
    document = lab("directory", "show", "sn1.isp-a", "--json").document
    assert document["schema"] == "ei.directory-show/1"

from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit


@pytest.fixture
def governed(ei: Run) -> Run:
    """Two of three keys govern; isp-a and isp-b have records to be listed."""
    keys = [str(ei("key", "new", f"{name}.key", "--json").document["identity"]) for name in "xyz"]
    assert ei("governance", "init", "--threshold", "2", *keys).code == Exit.OK
    for number, name in ((1, "isp-a"), (2, "isp-b")):
        files = ("--domain-key", f"{name}.key", "--records", f"{name}.eir")
        assert ei("domain", "init", name, "--number", str(number), *files).code == Exit.OK
    return ei


def sign(ei: Run, *names: str) -> None:
    for name in names:
        assert ei("governance", "sign", "--key", f"{name}.key").code == Exit.OK


def test_two_of_three_publish_a_list_that_a_node_believes(governed: Run, tmp_path: Path) -> None:
    assert governed("governance", "draft", "isp-a.eir", "isp-b.eir").code == Exit.OK
    sign(governed, "x", "z")
    published = governed("governance", "publish", "--records", "isp-a.eir")
    node = ("node", "init", "sn1.isp-a", "--endpoint", "127.0.0.1:40000")
    files = ("--domain-key", "isp-a.key", "--records", "isp-a.eir")

    assert published.code == Exit.OK, published.err
    assert governed(*node, *files).code == Exit.OK
    path = tmp_path / "sn1.isp-a" / "node.toml"
    text = path.read_text().replace('# governance = ""', 'governance = "../governance.toml"')
    path.write_text(text.partition("[trust]")[0])
    checked = governed("node", "check", "--config", str(path), "--json")
    assert checked.code == Exit.OK, checked.err + checked.out
    assert checked.document["refused"] == {}


def test_one_signature_is_not_enough_and_the_file_stays(governed: Run, tmp_path: Path) -> None:
    assert governed("governance", "draft", "isp-a.eir").code == Exit.OK
    sign(governed, "x", "x")

    said = governed("governance", "publish")

    assert said.code == Exit.INTEGRITY
    assert "signed by 1 of the 3 governance keys, needed are 2" in said.err
    assert not (tmp_path / "records.eir").exists()


def test_lists_follow_one_another_and_change_their_signers(governed: Run) -> None:
    new = str(governed("key", "new", "w.key", "--json").document["identity"])
    assert governed("governance", "draft", "isp-a.eir", "isp-b.eir").code == Exit.OK
    sign(governed, "x", "y")
    assert governed("governance", "publish").code == Exit.OK
    rotate = ("--remove", "isp-b", "--next-key", new, "--next-threshold", "1")
    assert governed("governance", "draft", *rotate).code == Exit.OK
    sign(governed, "y", "z")
    assert governed("governance", "publish").code == Exit.OK

    assert governed("governance", "draft").code == Exit.OK
    sign(governed, "w")
    assert governed("governance", "publish").code == Exit.OK

    listed = governed("governance", "list", "--json").document
    assert (listed["number"], listed["signers"]) == (3, [new])
    assert [domain["name"] for domain in listed["domains"]] == ["isp-a"]  # type: ignore[attr-defined]


def test_a_number_that_is_taken_is_found_before_anybody_signs(governed: Run) -> None:
    files = ("--domain-key", "c.key", "--records", "c.eir")
    assert governed("domain", "init", "isp-c", "--number", "1", *files).code == Exit.OK

    said = governed("governance", "draft", "isp-a.eir", "c.eir")

    assert said.code == Exit.ERROR
    assert "it gives one number twice" in said.err


def test_without_a_list_there_is_nothing_to_show(governed: Run) -> None:
    assert governed("governance", "list").code == Exit.NEGATIVE


def test_a_draft_that_is_not_there_is_said_with_the_way_to_it(governed: Run) -> None:
    said = governed("governance", "sign", "--key", "x.key")

    assert said.code == Exit.ERROR
    assert "domains.eir" in said.err


def test_an_operator_of_two_domains_is_drafted_and_shown(governed: Run) -> None:
    operator = ("--operator", "isp-b=example-net")

    said = governed("governance", "draft", "isp-a.eir", "isp-b.eir", *operator, "--json")

    assert said.code == Exit.OK, said.err
    domains = said.document["domains"]
    assert [domain["operator"] for domain in domains] == ["isp-a", "example-net"]  # type: ignore[attr-defined]


def test_an_operator_without_its_domain_is_refused(governed: Run) -> None:
    said = governed("governance", "draft", "isp-a.eir", "--operator", "example-net")

    assert said.code == Exit.ERROR
    assert "is not DOMAIN=NAME" in said.err

from pathlib import Path

import pytest
from tests.cli.conftest import Run, Said

from ei.cli.exits import Exit


@pytest.fixture
def domain(ei: Run) -> Run:
    """A domain with one node."""
    assert ei("domain", "init", "isp-a", "--number", "7").code == Exit.OK
    assert ei("node", "init", "sn1.isp-a", "--endpoint", "127.0.0.1:40000").code == Exit.OK
    return ei


def names(said: Said) -> list[str]:
    members = said.document["members"]
    assert isinstance(members, list)
    return [member["name"] for member in members]


def request(ei: Run, name: str, *words: str) -> Said:
    assert ei("key", "new", f"{name}.key").code == Exit.OK
    return ei("key", "request", name, "--key", f"{name}.key", *words)


def test_a_request_is_signed_without_the_domain_ever_seeing_the_key(domain: Run) -> None:
    assert request(domain, "alice.isp-a").code == Exit.OK
    assert request(domain, "sn2.isp-a", "--endpoint", "127.0.0.1:40001", "--service", "echo")

    said = domain("domain", "enrol", "alice.isp-a.request", "sn2.isp-a.request")

    assert said.code == Exit.OK, said.err
    assert names(domain("domain", "list", "--json")) == ["sn1.isp-a", "sn2.isp-a", "alice.isp-a"]


def test_a_request_for_the_name_of_another_is_refused(domain: Run, tmp_path: Path) -> None:
    assert request(domain, "sn1.isp-a").code == Exit.OK
    before = (tmp_path / "records.eir").read_bytes()

    said = domain("domain", "enrol", "sn1.isp-a.request")

    assert said.code == Exit.CONFLICT
    assert "the name sn1.isp-a is taken" in said.err
    assert (tmp_path / "records.eir").read_bytes() == before


def test_a_request_that_was_changed_is_refused(domain: Run, tmp_path: Path) -> None:
    assert request(domain, "alice.isp-a").code == Exit.OK
    path = tmp_path / "alice.isp-a.request"
    path.write_bytes(path.read_bytes().replace(b"alice", b"malic"))

    said = domain("domain", "enrol", "alice.isp-a.request")

    assert said.code == Exit.INTEGRITY
    assert "does not verify" in said.err


def test_all_is_renewed_or_what_was_named(domain: Run) -> None:
    assert domain("domain", "renew", "sn1.isp-a", "--days", "1000").code == Exit.OK
    node = domain("domain", "list", "--json").document
    assert domain("domain", "renew", "--days", "2000").code == Exit.OK
    both = domain("domain", "list", "--json").document

    assert isinstance(node["members"], list)
    assert isinstance(node["expires_unix_s"], int)
    assert isinstance(both["expires_unix_s"], int)
    assert node["members"][0]["expires_unix_s"] > node["expires_unix_s"] + 600 * 86_400
    assert both["expires_unix_s"] > node["expires_unix_s"] + 1_600 * 86_400


def test_who_is_not_there_is_not_renewed(domain: Run) -> None:
    said = domain("domain", "renew", "bob.isp-a")

    assert said.code == Exit.ERROR
    assert "no record of bob.isp-a" in said.err


def test_a_revoked_node_is_gone_and_its_name_is_free_for_new_keys(domain: Run) -> None:
    said = domain("domain", "revoke", "sn1.isp-a", "--json")

    listed = domain("domain", "list", "--json")
    assert said.code == Exit.OK
    assert said.document["revoked"] == listed.document["revoked"]
    assert names(listed) == []
    assert listed.code == Exit.OK
    assert domain("node", "check", "--config", "sn1.isp-a/node.toml").code == Exit.ERROR
    again = ("--endpoint", "127.0.0.1:40000", "--folder", "again")
    assert domain("node", "init", "sn1.isp-a", *again).code == Exit.OK


def test_a_revoked_key_is_not_enrolled_again(domain: Run) -> None:
    assert request(domain, "alice.isp-a").code == Exit.OK
    assert domain("domain", "enrol", "alice.isp-a.request").code == Exit.OK
    assert domain("domain", "revoke", "alice.isp-a").code == Exit.OK

    said = domain("domain", "enrol", "alice.isp-a.request")

    assert said.code == Exit.CONFLICT
    assert "revoked by isp-a" in said.err


def test_a_key_may_be_revoked_by_its_digits(domain: Run) -> None:
    said = domain("domain", "revoke", "ab" * 32, "--json")

    assert said.document["new"] == ["ab" * 32]
    assert names(domain("domain", "list", "--json")) == ["sn1.isp-a"]


def test_a_refreshed_list_has_the_next_number_and_the_same_keys(domain: Run) -> None:
    first = domain("domain", "revoke", "ab" * 32, "--json").document

    second = domain("domain", "refresh", "--json").document

    assert (first["number"], second["number"]) == (1, 2)
    assert first["revoked"] == second["revoked"]


def test_who_is_nobody_is_not_revoked(domain: Run) -> None:
    said = domain("domain", "revoke", "bob.isp-a")

    assert said.code == Exit.NEGATIVE
    assert "No record of 'bob.isp-a'" in said.err

"""The next list follows the one that counts, and is published only when it will be believed."""

from pathlib import Path

import pytest

from ei.errors import ConfigError, IntegrityError
from ei.records.drafting import domains_in, next_domain_list, publish, read_draft, read_followed
from ei.records.governance import Followed, Governance
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.lists import DomainList, SignedList, open_list, seal_list
from ei.records.record_files import read_records, write_records

ANNE, BERT, CAROL = (make_keys(letter * 32) for letter in (b"1", b"2", b"3"))
GOVERNANCE = Governance(frozenset({ANNE.identity_key, BERT.identity_key}), 2)
ISP_A = Issuer("isp-a", 1, make_keys(b"a" * 32), expires_unix_s=2_000)


def draft(
    followed: Followed, *by: Keys, keys: tuple[bytes, ...] = (), remove: tuple[str, ...] = ()
) -> SignedList[DomainList]:
    body = next_domain_list(
        followed,
        add=domains_in([ISP_A.domain()]),
        remove=remove,
        keys=keys,
        threshold=1 if keys else None,
        expires_unix_s=2_000,
    )
    opened = open_list(seal_list(body, by))
    return SignedList(body, opened.signers, opened.envelope)


def test_a_list_begins_with_number_1_and_stays_with_its_signers(tmp_path: Path) -> None:
    first = draft(read_followed(GOVERNANCE, tmp_path / "none"), ANNE, BERT)

    assert first.body.number == 1
    assert set(first.body.keys) == GOVERNANCE.keys
    assert first.body.domains[0].key == ISP_A.keys.identity_key


def test_what_changed_the_signers_stays_in_the_file_and_what_did_not_goes(tmp_path: Path) -> None:
    path = tmp_path / "records.eir"
    write_records(path, [ISP_A.domain()])
    for keys, by in (((), (ANNE, BERT)), ((CAROL.identity_key,), (ANNE, BERT)), ((), (CAROL,))):
        publish(draft(read_followed(GOVERNANCE, path), *by, keys=keys), GOVERNANCE, path)

    followed = read_followed(GOVERNANCE, path)
    assert [signed.body.number for signed in followed.needed] == [2, 3]
    assert read_records(path)[0] == ISP_A.domain()
    assert len(read_records(path)) == 3


def test_what_nobody_would_believe_is_not_published(tmp_path: Path) -> None:
    path = tmp_path / "records.eir"
    write_records(path, [])
    signed = draft(read_followed(GOVERNANCE, path), ANNE, CAROL)

    with pytest.raises(IntegrityError, match="signed by 1 of the 2 governance keys"):
        publish(signed, GOVERNANCE, path)

    assert read_records(path) == []


def test_a_domain_that_is_not_listed_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no domain 'isp-x' is listed"):
        draft(read_followed(GOVERNANCE, tmp_path / "none"), remove=("isp-x",))


def test_a_file_without_a_list_is_no_draft(tmp_path: Path) -> None:
    write_records(tmp_path / "draft", [ISP_A.domain()])

    with pytest.raises(IntegrityError, match="holds 0 lists"):
        read_draft(tmp_path / "draft")


def test_an_operator_stays_until_governance_names_another(tmp_path: Path) -> None:
    path = tmp_path / "records.eir"
    write_records(path, [])

    def said(operators: dict[str, str] | None) -> str:
        body = next_domain_list(
            read_followed(GOVERNANCE, path),
            add=domains_in([ISP_A.domain()]),
            remove=(),
            operators=operators,
            keys=(),
            threshold=None,
            expires_unix_s=2_000,
        )
        opened = open_list(seal_list(body, [ANNE, BERT]))
        publish(SignedList(body, opened.signers, opened.envelope), GOVERNANCE, path)
        return body.domains[0].operator

    assert said({"isp-a": "acme"}) == "acme"
    assert said(None) == "acme"
    assert said({"isp-a": "isp-a"}) == ""
    with pytest.raises(ConfigError, match="no domain 'isp-x' is listed"):
        said({"isp-x": "acme"})

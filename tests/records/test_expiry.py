"""Nothing ends without a word: at 30, 7 and 1 days, and each day in between."""

import pytest

from ei.records.expiry import DAY_S, Expiring, ExpiryWarnings, find_expiring, warning_days
from ei.records.governance import Governance
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.lists import DomainList, ListedDomain, seal_list
from ei.records.record_set import RecordSet, verify_records

DOMAIN, ALICE, NODE, GOVERNOR = (make_keys(letter * 32) for letter in (b"d", b"a", b"n", b"g"))
END_S = 100 * DAY_S
EXPIRING = Expiring("the record of alice.isp-a", END_S, "ei domain renew alice.isp-a")


def records(*, place_s: int = END_S) -> RecordSet:
    issuer = Issuer("isp-a", 1, DOMAIN, expires_unix_s=END_S)
    listed = (ListedDomain("isp-a", 1, DOMAIN.identity_key, place_s),)
    body = DomainList(1, END_S, (GOVERNOR.identity_key,), 1, listed)
    envelopes = [
        issuer.domain(),
        issuer.node(NODE, "sn1.isp-a", endpoints=("127.0.0.1:1",), services=()),
        issuer.enrol(ALICE, "alice.isp-a"),
        issuer.attach(ALICE, nodes=(NODE.address(1),), sequence=1),
        seal_list(body, [GOVERNOR]),
    ]
    found = verify_records(
        envelopes,
        trust={},
        unix_s=1_000,
        attachment_limit_s=END_S,
        governance=Governance(frozenset({GOVERNOR.identity_key}), 1),
    )
    assert found.refused == ()
    return found


@pytest.mark.parametrize(
    ("left_s", "days"),
    [
        (30 * DAY_S + 1, None),
        (30 * DAY_S, 30),
        (7 * DAY_S + 1, 30),
        (7 * DAY_S, 7),
        (DAY_S, 1),
        (0, 1),
        (-DAY_S, 1),
    ],
)
def test_the_clock_goes_on_to_thirty_seven_and_one(left_s: int, days: int | None) -> None:
    assert warning_days(EXPIRING, unix_s=END_S - left_s) == days


def test_all_that_a_host_stands_on_is_named_with_the_command_that_renews_it() -> None:
    found = find_expiring(
        records(), name="alice.isp-a", address=ALICE.address(1), unix_s=END_S - DAY_S
    )

    assert {each.what: each.renew for each in found} == {
        "the record of alice.isp-a": "ei domain renew alice.isp-a",
        "the attachment of alice.isp-a": "ei host attach",
        "domain isp-a": "ei domain renew",
        "list 1 of domains": "ei governance draft",
    }


def test_a_node_has_no_attachment_and_what_lasts_is_not_named() -> None:
    standing = records(place_s=50 * DAY_S)

    def names(unix_s: int) -> list[str]:
        found = find_expiring(standing, name="sn1.isp-a", address=NODE.address(1), unix_s=unix_s)
        return [each.what for each in found]

    assert names(10 * DAY_S) == []
    assert names(30 * DAY_S) == ["the place of isp-a in list 1 of domains"]
    assert names(80 * DAY_S)[0] == "the place of isp-a in list 1 of domains"
    assert "the record of sn1.isp-a" in names(80 * DAY_S)


def test_each_thing_is_said_at_each_threshold_and_once_a_day_in_between() -> None:
    warnings = ExpiryWarnings()
    said: list[float] = []

    for hour in range(32 * 24):
        unix_s = END_S - 31 * DAY_S + hour * 3_600
        soon = [EXPIRING] if warning_days(EXPIRING, unix_s=unix_s) is not None else []
        if warnings.due(soon, unix_s=unix_s):
            said.append((END_S - unix_s) / DAY_S)

    assert said == [float(days) for days in range(30, -1, -1)]


def test_a_clock_that_was_set_back_silences_nothing() -> None:
    warnings = ExpiryWarnings()
    assert warnings.due([EXPIRING], unix_s=END_S - DAY_S)

    assert warnings.due([EXPIRING], unix_s=END_S - DAY_S - 3_600)
    assert not warnings.due([EXPIRING], unix_s=END_S - DAY_S - 3_599)


def test_what_was_renewed_is_said_again_only_when_it_ends_again() -> None:
    warnings = ExpiryWarnings()
    assert warnings.due([EXPIRING], unix_s=END_S - DAY_S)

    assert warnings.due([], unix_s=END_S - DAY_S + 1) == []
    assert warnings.due([EXPIRING], unix_s=END_S - DAY_S + 2)

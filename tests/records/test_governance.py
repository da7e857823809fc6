"""Registry attacks, one scripted attacker each: governance is followed, and nobody else."""

import pytest

from ei.records.governance import Followed, Governance, follow_lists, why_malformed
from ei.records.keys import Keys, make_keys
from ei.records.lists import DomainList, ListedDomain, SignedList, open_list, seal_list

FIRST, SECOND, THIRD = (
    tuple(make_keys(bytes([generation, number]) * 16) for number in range(3))
    for generation in range(3)
)
MALLORY = tuple(make_keys(b"m" * 31 + bytes([number])) for number in range(3))
ISP_A, ISP_B = make_keys(b"a" * 32), make_keys(b"b" * 32)
LATER_S = 2_000


def public(keys: tuple[Keys, ...]) -> tuple[bytes, ...]:
    return tuple(each.identity_key for each in keys)


GOVERNANCE = Governance(frozenset(public(FIRST)), 2)


def domains(*entries: tuple[str, int, Keys]) -> tuple[ListedDomain, ...]:
    return tuple(
        ListedDomain(name, number, keys.identity_key, LATER_S) for name, number, keys in entries
    )


def signed(
    number: int,
    by: tuple[Keys, ...],
    *,
    following: tuple[Keys, ...] = FIRST,
    listed: tuple[ListedDomain, ...] = domains(("isp-a", 1, ISP_A)),
) -> SignedList:
    body = DomainList(number, LATER_S, public(following), 2, listed)
    return open_list(seal_list(body, by))


def newest(followed: Followed) -> int:
    return 0 if followed.newest is None else followed.newest.number


def test_the_newest_list_counts_in_any_order() -> None:
    lists = [signed(2, FIRST[1:]), signed(1, FIRST[:2])]

    assert newest(follow_lists(GOVERNANCE, lists)) == 2


@pytest.mark.parametrize(
    ("by", "count"), [((), 0), (FIRST[:1], 1), ((FIRST[0], *MALLORY), 1), (MALLORY, 0)]
)
def test_too_few_keys_of_the_set_are_refused(by: tuple[Keys, ...], count: int) -> None:
    followed = follow_lists(GOVERNANCE, [signed(1, by)])

    assert followed.newest is None
    reason = f"signed by {count} of the 3 governance keys, needed are 2"
    assert followed.refused == (("domain list 1", reason),)


def test_the_set_changes_by_the_word_of_the_set_before_over_three_generations() -> None:
    lists = [
        signed(1, FIRST[:2]),
        signed(2, FIRST[:2], following=SECOND),
        signed(3, SECOND[1:], following=THIRD),
        signed(4, THIRD[:2], following=THIRD),
    ]

    followed = follow_lists(GOVERNANCE, reversed(lists))

    assert newest(followed) == 4
    assert followed.governance == Governance(frozenset(public(THIRD)), 2)
    assert [each.body.number for each in followed.needed] == [2, 3, 4]
    assert newest(follow_lists(GOVERNANCE, followed.needed)) == 4


def test_a_set_that_was_replaced_signs_nothing_any_more() -> None:
    lists = [signed(2, FIRST[:2], following=SECOND), signed(3, FIRST, listed=())]

    followed = follow_lists(GOVERNANCE, lists)

    assert newest(followed) == 2
    assert followed.refused[0][1].startswith("signed by 0 of the 3")


def test_nobody_makes_themselves_the_next_set() -> None:
    lists = [signed(1, FIRST[:2]), signed(2, MALLORY, following=MALLORY)]

    assert newest(follow_lists(GOVERNANCE, lists)) == 1


def test_an_older_list_is_refused_once_a_newer_was_seen() -> None:
    before = follow_lists(GOVERNANCE, [signed(5, FIRST[:2])])

    after = follow_lists(GOVERNANCE, [signed(4, FIRST[:2], listed=())], known=before.needed)

    assert newest(after) == 5
    reason = "older than list 5, which was seen before (rollback)"
    assert after.refused == (("domain list 4", reason),)


def test_stolen_keys_of_an_old_set_cannot_rewrite_what_was_seen() -> None:
    before = follow_lists(GOVERNANCE, [signed(5, FIRST[:2], following=SECOND)])
    stolen = [signed(3, FIRST, following=MALLORY), signed(9, FIRST, following=MALLORY)]

    after = follow_lists(GOVERNANCE, stolen, known=before.needed)

    assert newest(after) == 5
    assert after.governance.keys == set(public(SECOND))


def test_two_lists_of_one_number_are_not_both_believed() -> None:
    before = follow_lists(GOVERNANCE, [signed(1, FIRST[:2])])

    after = follow_lists(GOVERNANCE, [signed(1, FIRST[:2], listed=())], known=before.needed)

    assert after.newest == before.newest
    assert after.refused == (("domain list 1", "number 1 is not above 1"),)


def test_the_same_list_with_more_signatures_is_the_same_list() -> None:
    lists = [signed(1, FIRST[:2]), signed(1, FIRST)]

    followed = follow_lists(GOVERNANCE, lists)

    assert (newest(followed), followed.refused) == (1, ())


def test_lists_of_another_governance_are_forgotten() -> None:
    other = Governance(frozenset(public(MALLORY)), 2)
    before = follow_lists(other, [signed(9, MALLORY, following=MALLORY)])

    assert newest(follow_lists(GOVERNANCE, [signed(1, FIRST[:2])], known=before.needed)) == 1


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (domains(("isp-a", 1, ISP_A), ("isp-a", 2, ISP_B)), "gives one name twice"),
        (domains(("isp-a", 1, ISP_A), ("isp-b", 1, ISP_B)), "gives one number twice"),
        (domains(("isp-a", 1, ISP_A), ("isp-b", 2, ISP_A)), "gives one key twice"),
        (domains(("isp-a", 1, FIRST[0])), "gives one key twice"),
        (domains(("Isp-A", 1, ISP_A)), "'Isp-A' is not the name of a domain"),
        (domains(("isp\u0430", 1, ISP_A)), "is not the name of a domain"),
        (domains(("isp-a", 0, ISP_A)), "the number 0 of isp-a is not 1 to"),
        ((ListedDomain("isp-a", 1, b"short", 9),), "a key of it has not 32 bytes"),
        (
            (ListedDomain("isp-a", 1, b"a" * 32, 9, "No Name"),),
            "'No Name', operator of isp-a, is not such a name",
        ),
        (
            (
                ListedDomain("isp-a", 1, b"a" * 32, 9, "acme"),
                ListedDomain("isp-b", 2, b"b" * 32, 9, "isp-a"),
            ),
            "isp-a, operator of isp-b, is a domain that is run by acme",
        ),
    ],
)
def test_nobody_squats_on_a_name_number_or_key(
    listed: tuple[ListedDomain, ...], reason: str
) -> None:
    followed = follow_lists(GOVERNANCE, [signed(1, FIRST, listed=listed)])

    assert followed.newest is None
    assert reason in followed.refused[0][1]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (DomainList(0, 9, public(FIRST), 2, ()), "its number 0 is not 1 to"),
        (DomainList(1, 9, (), 1, ()), "has 0 governance keys"),
        (DomainList(1, 9, public(FIRST), 0, ()), "its threshold 0 is not 1 to 3"),
        (DomainList(1, 9, public(FIRST), 4, ()), "its threshold 4 is not 1 to 3"),
        (DomainList(1, 9, public(FIRST[:1]) * 2, 2, ()), "gives one key twice"),
    ],
)
def test_a_set_that_could_not_sign_the_next_list_is_refused(body: DomainList, reason: str) -> None:
    assert reason in str(why_malformed(body))

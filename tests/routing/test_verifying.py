"""Each way to lie about a path is refused for its own reason."""

from collections.abc import Sequence

import msgspec
import pytest
from tests.routing.world import make_records, node, node_keys

from ei.routing.announcements import MAX_PATH, Announcement, Offer, Signer, read_announcement
from ei.routing.atlas import Atlas
from ei.routing.memo import Memo
from ei.routing.policy import Relation
from ei.routing.verifying import MAX_LIFE_S, REASONS, Reason, Refused, Verifier

CUSTOMER, PEER = Relation.CUSTOMER, Relation.PEER
UNIX_S = 1_000.0
# 9 ─ 1 ─ 2 peers; 3 and 4 are customers of 1 and 5 of 3; 40, 41, ... each of the one before.
LONG = range(40, 40 + MAX_PATH + 2)
ATLAS = Atlas(
    make_records(
        [
            (1, 2, PEER),
            (1, 9, PEER),
            (1, 3, CUSTOMER),
            (1, 4, CUSTOMER),
            (3, 5, CUSTOMER),
            *((domain + 1, domain, CUSTOMER) for domain in LONG),
        ]
    )
)
SAID = Announcement(origin=5, sequence=7, expires_unix_s=2_000, offers=(Offer(16),))


def said_along(
    walk: Sequence[int], *, said: Announcement | None = None, signers: Sequence[int] = ()
) -> Announcement:
    """Return what the last domain of a walk is told, each hop signed by the domains or others."""
    said = msgspec.structs.replace(SAID, origin=walk[0]) if said is None else said
    for place, to in enumerate(walk[1:]):
        by = signers[place] if signers else walk[place]
        said = read_announcement(Signer(node_keys(by)).extend(said, said.digests()[-1], to=to))
    return said


def refused(said: Announcement, *, own: int, sender: int, unix_s: float = UNIX_S) -> Reason:
    with pytest.raises(Refused) as caught:
        _ = Verifier(own, ATLAS, Memo(limit=10)).check(said, sender=sender, unix_s=unix_s)
    return caught.value.reason


def test_an_honest_announcement_holds() -> None:
    verifier = Verifier(2, ATLAS, Memo(limit=10))
    said = said_along([5, 3, 1, 2])

    digest, signer = verifier.check(said, sender=1, unix_s=UNIX_S)

    assert digest == said.digests()[-1]
    assert signer == node(5)
    assert verifier.statistics.verified == 3


def test_signed_bytes_are_verified_once() -> None:
    memo = Memo(limit=10)
    first, second = Verifier(1, ATLAS, memo), Verifier(2, ATLAS, memo)

    _ = first.check(said_along([5, 3, 1]), sender=3, unix_s=UNIX_S)
    _ = second.check(said_along([5, 3, 1, 2]), sender=1, unix_s=UNIX_S)

    assert (first.statistics.verified, first.statistics.verified_before) == (2, 0)
    assert (second.statistics.verified, second.statistics.verified_before) == (1, 2)


def test_d10_an_origin_that_another_domain_speaks_for_is_forged() -> None:
    said = said_along([5, 1], said=SAID, signers=[4])
    forged = said_along([5, 4, 1], signers=[4, 4])

    assert refused(forged, own=1, sender=4) == "origin_forged"
    assert refused(said, own=1, sender=5) == "origin_forged"


@pytest.mark.parametrize("field", ["sequence", "expires_unix_s", "offers"])
def test_d10_what_an_origin_said_is_not_changed_on_the_way(field: str) -> None:
    honest = said_along([5, 3])
    value = () if field == "offers" else getattr(honest, field) + 1
    changed = msgspec.structs.replace(honest, **{field: value})

    said = said_along([3, 1], said=changed)

    assert refused(said, own=1, sender=3) == "origin_forged"


def test_d10_a_domain_cut_out_of_the_path_is_missed() -> None:
    honest = said_along([5, 3, 1])
    shortened = msgspec.structs.replace(honest, hops=honest.hops[:1])

    said = said_along([1, 2], said=shortened)

    # The origin said it to 3, so the hop after it must be signed by 3.
    assert refused(said, own=2, sender=1) == "path_shortened"


def test_d10_a_hop_that_was_said_to_another_does_not_hold() -> None:
    honest = said_along([5, 3, 1])
    renamed = msgspec.structs.replace(honest.hops[0], next=1)
    said = msgspec.structs.replace(honest, hops=(renamed,))

    assert refused(said_along([1, 2], said=said), own=2, sender=1) == "origin_forged"


def test_d10_a_changed_hop_does_not_hold() -> None:
    honest = said_along([5, 3, 1])
    changed = msgspec.structs.replace(honest.hops[1], signature=bytes(64))
    said = msgspec.structs.replace(honest, hops=(honest.hops[0], changed))

    assert refused(said, own=1, sender=3) == "hop_forged"


def test_d10_a_route_leak_is_refused_by_the_providers_that_records_list() -> None:
    from_peer_to_peer = said_along([9, 1, 2])

    assert refused(from_peer_to_peer, own=2, sender=1) == "route_leak"


def test_d10_a_customer_that_gives_one_provider_the_routes_of_another_leaks_them() -> None:
    atlas = Atlas(make_records([(1, 3, CUSTOMER), (2, 3, CUSTOMER), (1, 4, CUSTOMER)]))
    verifier = Verifier(2, atlas, Memo(limit=10))

    with pytest.raises(Refused, match="d3 had it from above or beside, and gave it to d2") as why:
        _ = verifier.check(said_along([4, 1, 3, 2]), sender=3, unix_s=UNIX_S)

    assert why.value.reason == "route_leak"


def test_d10_a_path_with_a_domain_twice_is_a_loop() -> None:
    assert refused(said_along([5, 3, 1, 3, 1, 2]), own=2, sender=1) == "loop"
    assert refused(said_along([1, 3, 1]), own=1, sender=3) == "loop"


def test_what_was_said_to_another_domain_is_not_for_us() -> None:
    assert refused(said_along([5, 3, 4]), own=1, sender=3) == "not_for_us"


def test_what_another_domain_signed_last_is_not_the_senders() -> None:
    assert refused(said_along([5, 3, 1]), own=1, sender=4) == "wrong_sender"


@pytest.mark.parametrize(
    ("unix_s", "reason"),
    [(2_000.0, "expired"), (9_000.0, "expired"), (2_000.0 - MAX_LIFE_S - 1, "lives_too_long")],
)
def test_d10_what_has_expired_or_lives_too_long_is_refused(unix_s: float, reason: Reason) -> None:
    assert refused(said_along([5, 3, 1]), own=1, sender=3, unix_s=unix_s) == reason


def test_who_has_no_record_is_refused() -> None:
    no_domain = said_along([77, 3, 1])
    no_node = said_along([5, 3, 1], signers=[5, 88])

    assert refused(no_domain, own=1, sender=3) == "unknown_domain"
    assert refused(no_node, own=1, sender=3) == "unknown_signer"


def test_a_path_may_be_so_long_and_no_longer() -> None:
    longest = list(LONG)[: MAX_PATH + 1]
    verifier = Verifier(longest[-1], ATLAS, Memo(limit=10))

    _ = verifier.check(said_along(longest), sender=longest[-2], unix_s=UNIX_S)

    longer = list(LONG)[: MAX_PATH + 2]
    assert refused(said_along(longer), own=longer[-1], sender=longer[-2]) == "path_too_long"


def test_newer_records_count_from_then_on() -> None:
    verifier = Verifier(1, ATLAS, Memo(limit=10))
    verifier.use(Atlas(make_records([(1, 3, CUSTOMER)])))

    with pytest.raises(Refused, match="no record of domain 5"):
        _ = verifier.check_path(said_along([5, 3, 1]), sender=3)


def test_every_reason_is_explained() -> None:
    assert all(text.endswith(".") for text in REASONS.values())

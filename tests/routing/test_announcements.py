"""An announcement has one form, and each signature covers all that came before it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.routing.world import node_keys

from ei.errors import IntegrityError
from ei.records.keys import make_keys
from ei.routing.announcements import (
    MAX_ANNOUNCEMENT_BYTES,
    MAX_OFFERS,
    Announcement,
    Hop,
    Offer,
    Signer,
    is_hop_signed,
    read_announcement,
    read_version,
)

SAID = Announcement(
    origin=1, sequence=7, expires_unix_s=2_000, offers=(Offer(16, 1, 2, 3), Offer(17, 1, 0, 0))
)

GOLDEN = bytes.fromhex(
    "950107ce77359400919410010203919302c420b9489e770f49829b2a185a5b0aec3c3297baa17fc6"
    "fad1adb465efd3169ff5cbc4409b57972ab844b49ae9b6267c052e344177e0497549d08c4a4d6299"
    "efff30912789e4982070cf47e957d2e9430b898cfcd6d8d41fa5be17da894c19321b83030b"
)


def passed_on() -> bytes:
    first = read_announcement(Signer(node_keys(1)).extend(SAID, SAID.digests()[-1], to=2))
    return Signer(node_keys(2)).extend(first, first.digests()[-1], to=3)


def test_an_announcement_names_its_path_from_the_nearest_domain_on() -> None:
    said = read_announcement(passed_on())

    assert said.path == (2, 1)
    assert said.origin == 1
    assert said.offers == SAID.offers
    assert said.hops[-1].next == 3
    assert said.offers[0].version == (1, 2, 3)


def test_every_signature_holds_over_what_came_before_it() -> None:
    said = read_announcement(passed_on())

    digests = said.digests()

    assert len(digests) == 3
    assert all(is_hop_signed(hop, digest) for hop, digest in zip(said.hops, digests, strict=False))


@pytest.mark.parametrize("field", ["origin", "sequence", "expires_unix_s", "offers"])
def test_what_the_origin_says_cannot_be_changed(field: str) -> None:
    said = read_announcement(passed_on())
    value = () if field == "offers" else getattr(said, field) + 1

    changed = msgspec.structs.replace(said, **{field: value})

    assert not is_hop_signed(changed.hops[0], changed.digests()[0])


def test_to_whom_it_is_said_cannot_be_changed() -> None:
    said = read_announcement(passed_on())
    hop = msgspec.structs.replace(said.hops[0], next=4)

    assert not is_hop_signed(hop, said.digests()[0])


def test_a_later_hop_does_not_hold_over_another_signature_before_it() -> None:
    said = read_announcement(passed_on())
    hop = msgspec.structs.replace(said.hops[0], signature=bytes(64))
    changed = msgspec.structs.replace(said, hops=(hop, said.hops[1]))

    assert not is_hop_signed(changed.hops[1], changed.digests()[1])


def test_the_same_is_not_signed_twice() -> None:
    signer = Signer(node_keys(1))

    first = signer.extend(SAID, SAID.digests()[-1], to=2)
    again = signer.extend(SAID, SAID.digests()[-1], to=2)

    assert first == again
    assert signer.signed == 1


def test_what_was_signed_long_ago_is_signed_again() -> None:
    signer = Signer(node_keys(1))

    for to in (*range(2, 300), 2):
        _ = signer.extend(SAID, SAID.digests()[-1], to=to)

    assert signer.signed == 299


@pytest.mark.parametrize(
    "offers", [(Offer(17), Offer(16)), (Offer(16), Offer(16)), tuple(map(Offer, range(2, 1_027)))]
)
def test_services_are_in_order_each_once_and_not_too_many(offers: tuple[Offer, ...]) -> None:
    hop = Hop(2, bytes(32), bytes(64))
    said = msgspec.structs.replace(SAID, offers=offers, hops=(hop,))

    with pytest.raises(IntegrityError, match=r"order|allowed are 1024"):
        _ = read_announcement(msgspec.msgpack.encode(said))


def test_the_largest_announcement_fits() -> None:
    offers = tuple(Offer(2**32 - 1 - n, 65_535, 65_535, 65_535) for n in range(MAX_OFFERS))[::-1]
    hops = (Hop(2**32 - 1, bytes(32), bytes(64)),) * 32
    said = Announcement(
        origin=2**32 - 1,
        sequence=2**63 - 1,
        expires_unix_s=2**32 - 1,
        offers=offers,
        hops=hops,
    )

    assert len(msgspec.msgpack.encode(said)) <= MAX_ANNOUNCEMENT_BYTES


def test_what_nobody_says_is_none() -> None:
    with pytest.raises(IntegrityError, match="nobody says it"):
        _ = read_announcement(msgspec.msgpack.encode(SAID))


def test_another_form_of_the_same_is_refused() -> None:
    received = passed_on()
    assert received[1] == 1
    longer = received[:1] + b"\xcc\x01" + received[2:]

    with pytest.raises(IntegrityError, match="not in canonical form"):
        _ = read_announcement(longer)


def test_a_long_announcement_is_not_even_read() -> None:
    with pytest.raises(IntegrityError, match="exceeds the allowed 20480 B"):
        _ = read_announcement(bytes(MAX_ANNOUNCEMENT_BYTES + 1))


@given(st.binary(max_size=400))
def test_d10_bytes_that_are_no_announcement_are_refused_not_raised(received: bytes) -> None:
    with pytest.raises(IntegrityError):
        _ = read_announcement(received)


@given(st.integers(0, 400), st.integers(0, 255))
def test_d10_no_changed_byte_goes_unseen(place: int, value: int) -> None:
    received = bytearray(passed_on())
    place %= len(received)
    if received[place] == value:
        return
    received[place] = value

    try:
        said = read_announcement(bytes(received))
    except IntegrityError:
        return

    digests = said.digests()
    keys = [node_keys(1).identity_key, node_keys(2).identity_key]
    assert not all(
        hop.signer == key and is_hop_signed(hop, digest)
        for hop, digest, key in zip(said.hops, digests, keys, strict=False)
    ) or len(said.hops) != len(keys)


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.2.3", (1, 2, 3)), ("0.1.0-rc.1", (0, 1, 0)), ("2.0.70000+x", (2, 0, 65_535))],
)
def test_a_version_is_read_from_a_manifest(text: str, version: tuple[int, int, int]) -> None:
    assert read_version(text) == version


def test_golden_bytes_of_an_announcement() -> None:
    said = Announcement(
        origin=1, sequence=7, expires_unix_s=2_000_000_000, offers=(Offer(16, 1, 2, 3),)
    )

    written = Signer(make_keys(b"a" * 32)).extend(said, said.digests()[-1], to=2)

    assert written == GOLDEN

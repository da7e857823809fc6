"""What compression promises, as scripts of events."""

from ipaddress import IPv6Address

import msgspec
import pytest

from ei.records.keys import Keys, make_keys
from ei.sdk import (
    Address,
    Compress,
    ControlArrived,
    Count,
    Decompress,
    Effect,
    InstallDecision,
    KeepDictionary,
    PassPacket,
    RevokeDecisions,
    SendControl,
    Stage,
)
from ei.services.compression.client import sign
from ei.services.compression.messages import NUMBERS, Dictionary, Has, Offer, Taken, name_of
from ei.services.compression.service import VERSIONS
from ei.testing import Playbook, address

DELIVERY = 16
KEYS, OTHERS = make_keys(bytes(32)), make_keys(bytes([1]) * 32)
TENANT = KEYS.address(1)
EAST, WEST = address("east"), address("west")
OVERLAP_S = 5.0
NAME = name_of(TENANT, DELIVERY)


def text(each: Address) -> str:
    return str(IPv6Address(each))


def node(**config: object) -> Playbook:
    """A script at a node that compresses with `east`; `alice` uses the tenant's dictionaries."""
    of_nodes = {"nodes": [text(EAST)], "tenants": {text(address("alice")): text(TENANT)}}
    return Playbook("compression", peers=["alice", "east", "west"], config=of_nodes | config)


def dictionary(version: int, *, tenant: Address = TENANT, service: int = DELIVERY) -> Dictionary:
    trained = b"\x37\xa4\x30\xec" + (NUMBERS + version).to_bytes(4, "little") + b"like this"
    return Dictionary(tenant, service, version, trained)


def offer(version: int, keys: Keys = KEYS) -> Offer:
    return sign(keys, dictionary(version, tenant=keys.address(1)))


def offered(play: Playbook, signed: Offer, sender: Address = TENANT) -> tuple[Effect, ...]:
    return play.deliver(ControlArrived(sender, signed))


def stages(effects: tuple[Effect, ...]) -> tuple[Stage, ...]:
    (said,) = [effect for effect in effects if isinstance(effect, PassPacket)]
    (kept,) = [effect.decision for effect in effects if isinstance(effect, InstallDecision)]
    assert kept.stages == said.stages
    assert kept.tag in (NAME, name_of(address("bob"), DELIVERY))
    return said.stages


def sent(effects: tuple[Effect, ...]) -> list[tuple[object, bytes]]:
    return [(each.message, each.to) for each in effects if isinstance(each, SendControl)]


def own(version: int) -> Has:
    """What the node under test says that it has."""
    return Has(TENANT, DELIVERY, version, 100, 65_000)


def to_east(play: Playbook) -> tuple[Effect, ...]:
    return play.packet("alice", service=DELIVERY, egress=EAST)


def ready(version: int = 1) -> Playbook:
    """The node has a dictionary, and so says the next one."""
    play = node()
    _ = offered(play, offer(version))
    _ = play.control("east", Has(TENANT, DELIVERY, version, 50, 65_000))
    return play


def test_without_a_dictionary_payloads_pass() -> None:
    play = node()

    assert stages(to_east(play)) == ()
    assert sent(to_east(play)) == []


def test_a_dictionary_is_used_once_the_next_node_has_it() -> None:
    play = node()

    taken = offered(play, offer(1))
    first = to_east(play)
    known = play.control("east", Has(TENANT, DELIVERY, 1, 50, 65_000))
    then = to_east(play)

    assert sent(taken) == [(own(1), EAST), (Taken(TENANT, DELIVERY, 1), TENANT)]
    assert KeepDictionary(NAME, dictionary(1).trained) in taken
    assert stages(first) == ()
    assert sent(first) == [(offer(1), EAST)]
    assert known == (RevokeDecisions(NAME),)
    assert stages(then) == (Compress(NAME, NUMBERS + 1, 50),)
    assert sent(then) == []


def test_what_is_offered_and_not_answered_is_offered_again() -> None:
    play = node()
    _ = offered(play, offer(1))

    _ = to_east(play)
    at_once = to_east(play)
    _ = play.advance(3.0)
    later = to_east(play)

    assert (sent(at_once), sent(later)) == ([], [(offer(1), EAST)])


def test_a_node_that_has_a_dictionary_says_so_and_decompresses_by_it() -> None:
    play = node()

    taken = offered(play, offer(1), sender=EAST)
    came = play.packet("alice", ingress="east", service=DELIVERY)

    assert sent(taken) == [(Has(TENANT, DELIVERY, 1, 100, 65_000), EAST)]
    assert stages(came) == (Decompress(NAME, 100, 65_000),)
    assert stages(play.packet("alice", service=DELIVERY)) == ()
    assert stages(play.packet("bob", ingress="east", service=DELIVERY)) == ()
    assert stages(play.packet("alice", ingress="west", service=DELIVERY)) == ()


def test_the_stages_have_the_dictionary_with_the_first_decision_and_again_after_a_restart() -> None:
    play = ready()
    keep = KeepDictionary(NAME, dictionary(1).trained)

    assert keep in to_east(play)
    assert keep not in to_east(play)
    play.restart()
    assert keep in play.packet("alice", ingress="east", service=DELIVERY)


def test_a_new_version_is_offered_at_once_and_the_one_before_used_until_it_is_there() -> None:
    play = ready()
    _ = play.advance(OVERLAP_S)

    taken = offered(play, offer(2))
    before = to_east(play)
    _ = play.control("east", Has(TENANT, DELIVERY, 2, 50, 65_000))
    after = to_east(play)

    assert sent(taken) == [
        (own(2), EAST),
        (offer(2), EAST),
        (Taken(TENANT, DELIVERY, 2), TENANT),
    ]
    assert stages(before) == (Compress(NAME, NUMBERS + 1, 50),)
    assert stages(after) == (Compress(NAME, NUMBERS + 2, 50),)


def test_a_node_that_comes_back_is_asked_what_it_has() -> None:
    play = ready()

    gone = play.peer_down("east")
    _ = play.peer_up("east")
    then = to_east(play)

    assert gone == (RevokeDecisions(NAME),)
    assert stages(then) == ()
    assert sent(then) == [(offer(1), EAST)]


def test_a_node_that_forgets_a_version_says_so_to_all_who_may_use_it() -> None:
    play = node(nodes=[text(EAST), text(WEST)])
    _ = offered(play, offer(1), sender=EAST)

    taken = offered(play, offer(2), sender=WEST)

    has = Has(TENANT, DELIVERY, 2, 100, 65_000)
    assert sent(taken) == [(has, EAST), (has, WEST)]


def test_a_node_that_uses_what_the_other_has_no_more_sends_payloads_as_they_are() -> None:
    play = ready()

    told = play.control("east", Has(TENANT, DELIVERY, 2, 50, 65_000))
    then = to_east(play)

    assert told == (RevokeDecisions(NAME),)
    assert stages(then) == ()
    assert sent(then) == [(offer(1), EAST)]


def test_a_node_that_offers_an_older_version_is_offered_the_newer_one() -> None:
    play = node(nodes=[text(EAST), text(WEST)])
    _ = offered(play, offer(2), sender=WEST)

    told = offered(play, offer(1), sender=EAST)

    superseded = Taken(TENANT, DELIVERY, 1, "superseded")
    assert sent(told) == [(superseded, EAST), (offer(2), EAST)]


def test_versions_come_one_after_the_other_with_time_between_them() -> None:
    play = ready(2)

    assert sent(offered(play, offer(3))) == [(Taken(TENANT, DELIVERY, 3, "too_soon"), TENANT)]
    _ = play.advance(OVERLAP_S)
    assert sent(offered(play, offer(1))) == [(Taken(TENANT, DELIVERY, 1, "superseded"), TENANT)]
    assert sent(offered(play, offer(2))) == [(Taken(TENANT, DELIVERY, 2), TENANT)]
    other = sign(KEYS, Dictionary(TENANT, DELIVERY, 2, dictionary(2).trained + b"!"))
    assert sent(offered(play, other)) == [(Taken(TENANT, DELIVERY, 2, "superseded"), TENANT)]


def test_the_newest_versions_are_kept() -> None:
    play = node()
    for version in range(1, 7):
        _ = offered(play, offer(version))
        _ = play.advance(OVERLAP_S)
    play.restart()
    _ = play.control("east", Has(TENANT, DELIVERY, 3, 50, 65_000))
    forgotten = to_east(play)
    _ = play.control("east", Has(TENANT, DELIVERY, 4, 50, 65_000))
    effects = to_east(play)

    assert stages(forgotten) == ()
    kept = [each.dictionary for each in effects if isinstance(each, KeepDictionary)]
    assert kept == [dictionary(version).trained for version in (4, 5, 6)]
    assert len(kept) == VERSIONS


def forged() -> Offer:
    return msgspec.structs.replace(offer(1), signature=OTHERS.sign(offer(1).statement))


def by_another_key() -> Offer:
    return sign(OTHERS, dictionary(1))


def of_another_number() -> Offer:
    return sign(KEYS, Dictionary(TENANT, DELIVERY, 2, dictionary(1).trained))


@pytest.mark.parametrize(
    ("signed", "sender", "reason"),
    [
        (forged(), TENANT, "bad_signature"),
        (by_another_key(), TENANT, "bad_signature"),
        (of_another_number(), TENANT, "bad_dictionary"),
        (offer(1), WEST, "not_yours"),
        (forged(), EAST, "bad_signature"),
    ],
)
def test_what_its_tenant_has_not_signed_is_refused(
    signed: Offer, sender: Address, reason: str
) -> None:
    play = node()

    effects = offered(play, signed, sender=sender)

    version = msgspec.msgpack.decode(signed.statement, type=Dictionary).version
    assert effects == (
        Count("refused"),
        SendControl(Taken(TENANT, DELIVERY, version, reason), to=sender),
    )
    assert stages(play.packet("alice", ingress="east", service=DELIVERY)) == ()


def test_a_statement_that_cannot_be_read_is_counted() -> None:
    junk = msgspec.structs.replace(offer(1), statement=b"junk")

    assert offered(node(), junk) == (Count("refused"),)


def test_tenants_and_services_are_bounded() -> None:
    full = node(dictionaries=1)
    _ = offered(full, offer(1))
    of_another = OTHERS.address(1)
    assert sent(offered(full, offer(1, OTHERS), sender=of_another)) == [
        (Taken(of_another, DELIVERY, 1, "full"), of_another)
    ]

    play = node(services_per_tenant=1)
    _ = offered(play, offer(1))
    second = sign(KEYS, dictionary(1, service=48))
    assert sent(offered(play, second)) == [(Taken(TENANT, 48, 1, "full"), TENANT)]


def test_a_node_that_takes_shorter_payloads_alone_is_sent_none_compressed() -> None:
    play = node()
    _ = offered(play, offer(1))

    _ = play.control("east", Has(TENANT, DELIVERY, 1, 50, 1_000))

    assert stages(to_east(play)) == ()


def test_what_the_next_node_has_forgotten_is_used_no_more() -> None:
    play = ready()

    told = play.control("east", Taken(TENANT, DELIVERY, 1, "forgotten"))

    assert told == (Count("refused"), RevokeDecisions(NAME))
    assert stages(to_east(play)) == ()


def test_a_node_whose_pipe_comes_up_is_told_what_is_here() -> None:
    play = ready()

    _ = play.peer_down("east")
    told = play.peer_up("east")

    assert sent(told) == [(own(1), EAST)]
    assert sent(play.peer_up("west")) == []


def test_what_nobody_has_used_for_a_day_makes_room() -> None:
    play = node(dictionaries=1)
    _ = offered(play, offer(1))
    other = OTHERS.address(1)

    _ = play.advance(86_000)
    _ = play.packet("alice", ingress="east", service=DELIVERY)
    _ = play.advance(1_000)
    full = offered(play, offer(1, OTHERS), sender=other)
    _ = play.advance(86_401)
    then = offered(play, offer(1, OTHERS), sender=other)

    assert (Taken(other, DELIVERY, 1, "full"), other) in sent(full)
    assert (Taken(other, DELIVERY, 1), other) in sent(then)
    assert (Taken(TENANT, DELIVERY, 1, "forgotten"), EAST) in sent(then)
    assert stages(play.packet("alice", ingress="east", service=DELIVERY)) == ()


def test_what_a_stranger_says_it_has_is_not_believed() -> None:
    play = node()
    _ = offered(play, offer(1))

    assert play.control("west", Has(TENANT, DELIVERY, 1, 50, 65_000)) == ()
    assert play.control("east", Has(TENANT, DELIVERY, 2, 50, 65_000)) == ()
    assert play.control("east", Taken(TENANT, DELIVERY, 1, "full")) == (Count("refused"),)


def test_packets_of_its_own_are_refused() -> None:
    (_, dropped) = node().packet("alice")

    assert "interposed_only" in str(dropped)


@pytest.mark.parametrize("config", [{"nodes": ["east"]}, {"tenants": {"alice": text(TENANT)}}])
def test_what_is_no_address_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(Exception, match="not the address of a host or node"):
        _ = Playbook("compression", config=config)


def test_an_address_is_written_in_one_way() -> None:
    with pytest.raises(Exception, match="fd35::0001 seen, which is written fd35::1"):
        _ = Playbook("compression", config={"nodes": ["fd35::0001"]})

"""Whatever arrives is answered, used, or refused for a counted reason; nothing raises."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.directory.net import LATER_S, UNIX_S, Net, World

from ei.directory import Attached, MemoryStore, Named
from ei.directory.messages import Answer, Ask, Find, Found, Message, Register, Registered, encode
from ei.directory.reasons import DIRECTORY_REASONS
from ei.errors import LimitError
from ei.records.envelope import TAG, seal_record
from ei.records.issuer import Issuer
from ei.records.keys import Keys, make_keys
from ei.records.kinds import Absence, AttachmentRecord, Enrolment
from ei.records.lists import RevocationList, seal_list
from ei.records.signed import Envelope
from ei.sdk.packets import Address

MALLORY = make_keys(b"m" * 32)


def net_with_bob() -> Net:
    """Bob of isp-b is attached; sn2.isp-a knows it and uses it."""
    world = World()
    for host in ("alice.isp-a", "bob.isp-b", "carol.isp-b"):
        world.add_host(host)
    net = Net(world)
    net.say("bob.isp-b", "sn1.isp-b", Register(world.attach("bob.isp-b", "sn1.isp-b", sequence=9)))
    net.run(0.5)
    net.resolve("sn1.isp-a", Attached(world.names["bob.isp-b"]))
    return net


def reencoded(envelope: bytes, keys: Keys) -> bytes:
    """Return the same in a longer form, signed by who may: its kind in two bytes, not in one."""
    body = msgspec.msgpack.decode(envelope, type=Envelope).body
    body = body[:1] + b"\xcc" + body[1:]
    return msgspec.msgpack.encode(Envelope(1, keys.identity_key, body, keys.sign(TAG + body)))


def by(world: World, domain: str) -> Keys:
    return world.domains[domain].keys


NAME = Named("dave.isp-b")
DAVE = make_keys(b"dave" * 8)


def dave(world: World, signer: str = "isp-b", **changes: object) -> bytes:
    """The enrolment of dave.isp-b, changed and signed by somebody."""
    record = Enrolment(DAVE.address(2), ("dave.isp-b",), DAVE.identity_key, DAVE.pipe_key, LATER_S)
    return seal_record(msgspec.structs.replace(record, **changes), by(world, signer))


def no_dave(expires_unix_s: int) -> Absence:
    return Absence("dave.isp-b", b"", is_attachment=False, expires_unix_s=expires_unix_s)


BAD_ANSWERS: dict[str, tuple[str, Callable[[World], bytes]]] = {
    "forged": ("bad_signature", lambda w: dave(w)[:-1] + b"\0"),
    "wrongly signed": ("wrong_signer", lambda w: dave(w, "isp-a")),
    "re-encoded": ("not_canonical", lambda w: reencoded(dave(w), by(w, "isp-b"))),
    "over-long": ("bad_message", lambda w: dave(w) + bytes(4_096)),
    "not a record": ("malformed", lambda _: b"\x93abc"),
    "expired": ("expired", lambda w: dave(w, expires_unix_s=int(UNIX_S) - 1)),
    "name of another domain": (
        "squatted_name",
        lambda w: dave(w, names=("dave.isp-b", "alice.isp-a")),
    ),
    "address of another key": (
        "squatted_address",
        lambda w: dave(w, address=MALLORY.address(2)),
    ),
    "address in another domain": ("wrong_signer", lambda w: dave(w, address=DAVE.address(1))),
    "key of another host": (
        "taken_key",
        lambda w: dave(w, pipe_key=w.keys[w.names["alice.isp-a"]].pipe_key),
    ),
    "key of a node": (
        "taken_key",
        lambda w: seal_record(
            Enrolment(
                w.names["sn2.isp-b"],
                ("dave.isp-b",),
                w.keys[w.names["sn2.isp-b"]].identity_key,
                DAVE.pipe_key,
                LATER_S,
            ),
            by(w, "isp-b"),
        ),
    ),
    "another host": ("other_answer", lambda w: w.private["isp-b"][0]),
    "absence by a host": (
        "wrong_signer",
        lambda _: seal_record(no_dave(int(UNIX_S) + 30), MALLORY),
    ),
    "absence by a node that is no directory": (
        "wrong_signer",
        lambda w: seal_record(no_dave(int(UNIX_S) + 30), w.keys[w.names["sn2.isp-b"]]),
    ),
    "absence for a day": (
        "lives_too_long",
        lambda w: seal_record(no_dave(LATER_S), w.keys[w.names["sn1.isp-b"]]),
    ),
}


@pytest.mark.parametrize("what", BAD_ANSWERS)
def test_a_bad_answer_is_refused_with_its_reason_and_not_used(what: str) -> None:
    net = net_with_bob()
    reason, make = BAD_ANSWERS[what]
    net.kill("sn1.isp-b")  # and somebody speaks in its place
    net.ask("sn1.isp-a", NAME)

    net.say("sn1.isp-b", "sn1.isp-a", Answer(NAME, (make(net.world),), 60, is_leased=True))
    net.run(0.1)

    assert net.node("sn1.isp-a").statistics().refused[reason] == 1
    told = net.last_answer("sn1.isp-a", NAME)
    assert told is None or (told.record, told.reason) == (None, "no_answer")


def test_an_older_attachment_is_refused_when_it_is_told_again() -> None:
    net = net_with_bob()
    bob = net.world.names["bob.isp-b"]
    old = net.world.attach("bob.isp-b", "sn2.isp-b", sequence=8)
    answer = Answer(Attached(bob), (net.world.private["isp-b"][0], old), 60, is_leased=True)

    net.say("sn1.isp-b", "sn1.isp-a", answer)
    net.run(0.1)

    found = net.ask("sn1.isp-a", Attached(bob))
    assert found is not None
    assert isinstance(found.record, AttachmentRecord)
    assert found.record.sequence == 9
    assert net.node("sn1.isp-a").statistics().refused == {"older": 1}


def test_an_answer_that_nobody_asked_for_is_not_used() -> None:
    net = net_with_bob()
    answer = Answer(NAME, (dave(net.world),), 60, is_leased=True)

    net.say("sn1.isp-b", "sn1.isp-a", answer)
    net.say("sn1.isp-b", "sn2.isp-a", answer)
    net.run(0.1)

    for node in ("sn1.isp-a", "sn2.isp-a"):
        assert net.node(node).statistics().refused == {"unasked": 1}


Change = Callable[[World], bytes]
BAD_REGISTRATIONS: dict[str, tuple[str, Change]] = {
    "another's": ("not_its_own", lambda w: w.attach("carol.isp-b", "sn1.isp-b", sequence=10)),
    "signed by another": (
        "wrong_signer",
        lambda w: seal_record(
            AttachmentRecord(
                w.names["bob.isp-b"], (w.names["sn1.isp-b"],), 10, int(UNIX_S) + 3_000
            ),
            w.keys[w.names["carol.isp-b"]],
        ),
    ),
    "replayed": ("older", lambda w: w.attach("bob.isp-b", "sn2.isp-b", sequence=8)),
    "of a day": (
        "lives_too_long",
        lambda w: w.attach("bob.isp-b", "sn1.isp-b", sequence=10, life_s=86_400),
    ),
    "expired": ("expired", lambda w: w.attach("bob.isp-b", "sn1.isp-b", sequence=10, life_s=-1)),
    "at no node": ("unknown_node", lambda w: w.attach("bob.isp-b", "alice.isp-a", sequence=10)),
    "no attachment": ("other_answer", lambda w: w.private["isp-b"][0]),
    "not a record": ("malformed", lambda _: b"x"),
}


@pytest.mark.parametrize("node", ["sn1.isp-b", "sn2.isp-b", "sn2.isp-a"])
@pytest.mark.parametrize("what", BAD_REGISTRATIONS)
def test_a_bad_registration_is_refused_with_its_reason_and_the_host_is_told(
    what: str, node: str
) -> None:
    net = net_with_bob()
    reason, make = BAD_REGISTRATIONS[what]
    net.heard.clear()

    net.say("bob.isp-b", node, Register(make(net.world)))
    net.run(0.5)

    answer = net.heard[net.world.names["bob.isp-b"]][-1]
    assert isinstance(answer, Registered)
    assert answer.reason == reason
    assert net.node(node).statistics().refused[reason] == 1
    found = net.ask("sn1.isp-b", Attached(net.world.names["bob.isp-b"]))
    assert found is not None
    assert isinstance(found.record, AttachmentRecord)
    assert found.record.sequence == 9


def test_a_host_that_is_not_enrolled_is_attached_nowhere() -> None:
    net = net_with_bob()
    address = MALLORY.address(2)
    net.world.names["mallory.isp-b"] = address
    net.world.keys[address] = MALLORY

    net.say(
        "mallory.isp-b",
        "sn1.isp-b",
        Register(net.world.attach("mallory.isp-b", "sn1.isp-b", sequence=1)),
    )
    net.run(0.1)

    assert net.heard[address] == [Registered(address, 1, "unknown_host")]


def test_of_two_hosts_with_one_key_the_second_does_not_count() -> None:
    world = World()
    world.add_host("bob.isp-b")
    bob = world.keys[world.names["bob.isp-b"]]
    world.private["isp-b"].append(world.domains["isp-b"].enrol(bob, "bobby.isp-b"))
    net = Net(world)

    found = net.resolve("sn1.isp-a", Named("bobby.isp-b"))

    assert found is not None
    assert found.record is None
    assert found.reason == ""


@pytest.mark.parametrize("sender", ["alice.isp-a", "sn2.isp-a", "sn1.isp-b"])
def test_who_sends_what_only_others_may_is_counted(sender: str) -> None:
    net = net_with_bob()
    message: Message = Ask(NAME, 60) if sender == "alice.isp-a" else Find(1, NAME)

    net.say(sender, "sn1.isp-a", message)
    net.run(0.1)

    reason = "hosts_may_not" if sender == "alice.isp-a" else "nodes_may_not"
    assert net.node("sn1.isp-a").statistics().refused == {reason: 1}


def test_a_flood_of_questions_is_cut_and_counted() -> None:
    net = net_with_bob()
    for number in range(150):
        net.say("alice.isp-a", "sn2.isp-a", Find(number, Named(f"n{number}.isp-b")))

    net.run(1.0)

    heard = net.heard[net.world.names["alice.isp-a"]]
    assert sum(isinstance(each, Found) for each in heard) == 100
    assert net.node("sn2.isp-a").statistics().refused == {"busy": 50}


class FullStore:
    """A disk without room."""

    def load(self) -> tuple[bytes, ...]:
        return ()

    def keep(self, host: Address, envelope: bytes) -> None:
        raise LimitError("no room")

    def forget(self, host: Address) -> None:
        raise AssertionError("nothing was kept")

    def commit(self) -> None:
        raise AssertionError("nothing was kept")


class FailingStore(MemoryStore):
    """A disk that has room until it is written to."""

    def commit(self) -> None:
        raise LimitError("no room")


@pytest.mark.parametrize("store", [FullStore, FailingStore])
def test_what_finds_no_room_on_disk_is_not_acknowledged(
    store: type[FullStore | FailingStore],
) -> None:
    net = net_with_bob()
    net.stores[net.world.names["sn1.isp-b"]] = store()
    net.start("sn1.isp-b")
    net.heard.clear()

    net.say(
        "bob.isp-b", "sn1.isp-b", Register(net.world.attach("bob.isp-b", "sn1.isp-b", sequence=10))
    )
    net.run(0.1)

    bob = net.world.names["bob.isp-b"]
    assert net.heard[bob] == [Registered(bob, 10, "store_full")]
    found = net.ask("sn1.isp-b", Attached(bob))
    assert found is not None
    assert found.record is None


def test_what_a_revoked_host_has_said_counts_no_more() -> None:
    net = net_with_bob()
    bob = net.world.names["bob.isp-b"]
    keys = (net.world.keys[bob].identity_key,)
    revoked = seal_list(RevocationList("isp-b", 1, int(UNIX_S), keys), [by(net.world, "isp-b")])

    net.update("sn1.isp-b", net.world.records("isp-b", revoked))
    net.run(0.5)

    told = net.last_answer("sn1.isp-a", Attached(bob))
    assert told is not None
    assert told.record is None
    net.update("sn1.isp-a", net.world.records("isp-a", revoked))
    found = net.resolve("sn1.isp-a", Named("bob.isp-b"))
    assert found is not None
    assert found.record is None


MESSAGES = [
    encode(Ask(NAME, 60)),
    encode(Find(7, NAME)),
    encode(Register(b"x" * 100)),
    encode(Answer(NAME, (b"x" * 100,), 60, is_leased=True)),
    encode(Registered(bytes(16), 1)),
]


@pytest.mark.slow
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from(MESSAGES), st.integers(0, 200), st.integers(0, 255)).map(
            lambda cut: cut[0][: cut[1]] + bytes([cut[2]]) + cut[0][cut[1] + 1 :]
        ),
    ),
    st.sampled_from(["alice.isp-a", "sn2.isp-a", "sn1.isp-b", "bob.isp-b"]),
)
def test_no_bytes_raise_and_each_refusal_has_a_documented_reason(raw: bytes, sender: str) -> None:
    net = FUZZED

    sends = net.node("sn1.isp-a").take(
        net.world.names[sender], raw, now_s=net.now_s, unix_s=net.unix_s
    )

    refused = net.node("sn1.isp-a").statistics().refused
    assert set(refused) <= set(DIRECTORY_REASONS)
    assert len(sends) <= 4


FUZZED = net_with_bob()


def test_an_issuer_of_another_domain_cannot_speak_for_this_one() -> None:
    net = net_with_bob()
    mallory = Issuer("isp-b", 2, MALLORY, LATER_S)
    net.kill("sn1.isp-b")
    net.ask("sn1.isp-a", NAME)

    answer = Answer(NAME, (mallory.enrol(DAVE, "dave.isp-b"),), 60, is_leased=False)
    net.say("sn1.isp-b", "sn1.isp-a", answer)
    net.run(0.1)

    assert net.node("sn1.isp-a").statistics().refused["wrong_signer"] == 1

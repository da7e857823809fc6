"""What a module in WebAssembly is given, and what is taken of it.

`modules/probe` is of 2026-11-30, the day of the first interface, and its code is not made again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ei.errors import ConfigError, ServiceError
from ei.runtime.batches import EffectBatch, EventBatch, Outcome
from ei.runtime.environment import Environment
from ei.runtime.loader import load_afresh, load_service, read_service
from ei.runtime.wasm import FILE, MAX_FILE_BYTES
from ei.sdk import (
    Address,
    Attachment,
    AttachmentOf,
    CancelTimer,
    ControlArrived,
    Count,
    Decision,
    Discard,
    DropPacket,
    Effect,
    Forward,
    HoldPacket,
    Hop,
    InstallDecision,
    PacketArrived,
    Pass,
    PassPacket,
    Resolve,
    Resolved,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SetTimer,
    TallyRead,
    key_of,
)
from ei.testing import Playbook, address
from ei.testing.toys import toy_packet

PROBE = Path(__file__).parent / "modules" / "probe"
ALICE = address("alice")


def probe() -> Playbook:
    return Playbook(PROBE, peers=["alice"])


def test_its_first_event_is_that_it_starts() -> None:
    assert probe().started == (SetTimer(b"first", 1.0),)


def test_a_packet_that_it_sends_on_is_the_one_that_arrived() -> None:
    play = probe()
    packet = play.make_packet("alice", payload=bytes(65_000))

    assert play >> PacketArrived(packet) << SendPacket(packet, ALICE)


def test_it_decides_as_a_module_in_python_does() -> None:
    play = probe()

    def decided(word: bytes) -> tuple[Effect, ...]:
        return play.packet("alice", metadata=word)

    forward, refuse, hand_on = (
        play.make_packet("alice", metadata=word) for word in (b"forward", b"refuse", b"hand on")
    )
    assert decided(b"forward") == (
        InstallDecision(Decision(key_of(forward), Forward((Hop(ALICE),)), 5.0, b"forward")),
        SendPacket(forward, ALICE),
    )
    assert decided(b"refuse") == (
        InstallDecision(Decision(key_of(refuse), Discard("unwanted"), 5.0, b"refuse")),
        DropPacket("unwanted"),
    )
    assert decided(b"hand on") == (
        InstallDecision(Decision(key_of(hand_on), Pass(), 5.0, b"hand on")),
        PassPacket(hand_on),
    )


def test_it_reads_context_config_peers_records_and_both_stores() -> None:
    play = probe()

    (sent,) = play.packet("alice", metadata=b"tell")

    assert isinstance(sent, SendPacket)
    told = msgspec.msgpack.decode(sent.packet.payload)
    store = [True, 604, False, True, [b"k1", b"new"]]
    assert told == [
        play.now_s,
        play.now_s,
        address("self"),
        1,
        b"a name that is longer than thirty-one characters",
        2.5,
        1,
        True,
        True,
        "not asked",
        store,
        store,
    ]


def test_a_record_is_there_once_a_query_was_answered() -> None:
    play = probe()
    record = Attachment(ALICE, (address("node"),))
    _ = play.resolve(AttachmentOf(ALICE), record)

    (sent,) = play.packet("alice", metadata=b"tell")

    assert isinstance(sent, SendPacket)
    told = msgspec.msgpack.decode(sent.packet.payload)
    assert told[9] == [0, ALICE, [address("node")]]


def test_a_packet_waits_for_an_answer() -> None:
    play = probe()

    held = play.packet("alice", metadata=b"hold")

    assert held == (HoldPacket(AttachmentOf(ALICE), 2.0),)


def test_every_kind_of_event_comes_in() -> None:
    play = probe()

    assert play.timer(b"key") == (CancelTimer(b"key"), RevokeDecisions(b"key"))
    assert play.peer_up("bob") == (Resolve(AttachmentOf(address("bob"))),)
    assert play.peer_down("bob") == ()
    assert play.deliver(TallyRead(b"t", 1, 2)) == (Count("seen", 5),)
    assert play.deliver(Resolved(AttachmentOf(ALICE), None)) == (Count("seen", 4),)


@pytest.mark.parametrize(
    "message", [None, True, -1, 2**63, 1.5, "text", b"\0" * 300, [1, ["x"]], {"a": {"b": [None]}}]
)
def test_a_control_message_is_any_value_of_msgpack(message: object) -> None:
    effects = probe().deliver(ControlArrived(ALICE, message))

    assert effects == (SendControl(message, ALICE),)


def test_nothing_is_left_of_an_event_but_what_is_in_a_store() -> None:
    play = probe()

    counts = [play.packet("alice", metadata=b"calls")[0] for _ in range(3)]

    assert counts == [Count("seen", 1)] * 3


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (b"trap", "module.wasm: wasm `unreachable` instruction executed"),
        (b"hoard", "module.wasm: more memory than it may have"),
        (b"garbage", "module.wasm: an effect that is none: "),
        (b"storm", "more than 64 effects of one event"),
        (b"none", "a packet needs SendPacket"),
        (b"loop", "cpu_exceeded"),
    ],
)
def test_what_goes_wrong_is_said_in_words_and_fails_one_event(word: bytes, said: str) -> None:
    play = probe()

    with pytest.raises(ServiceError) as caught:
        _ = play.packet("alice", metadata=word)

    assert said in str(caught.value)
    assert play.packet("alice") == (SendPacket(play.make_packet("alice"), ALICE),)


def test_in_a_batch_a_trap_is_the_end_of_its_own_event_alone() -> None:
    environment = Environment(load_service(PROBE), node=address("self"), seed=b"1")
    events = (
        toy_packet(),
        toy_packet(metadata=b"trap"),
        toy_packet(metadata=b"loop"),
        toy_packet(),
    )

    reply = environment.deliver_batch(msgspec.msgpack.encode(EventBatch(1, 0, 1.0, 1e9, events)))

    answers = msgspec.msgpack.decode(reply, type=EffectBatch).answers
    assert [(answer.outcome, answer.reason) for answer in answers[:4]] == [
        (Outcome.ANSWERED, ""),
        (Outcome.DROPPED, "service_error"),
        (Outcome.DROPPED, "cpu_exceeded"),
        (Outcome.ANSWERED, ""),
    ]


def test_its_configuration_has_the_types_of_the_defaults() -> None:
    loaded = load_service(PROBE)

    assert loaded.parse_config({"number": 3}) is not None
    with pytest.raises(ConfigError, match="number"):
        _ = loaded.parse_config({"number": "three"})
    with pytest.raises(ConfigError, match="nmae"):
        _ = loaded.parse_config({"nmae": "x"})


def test_there_is_nothing_to_load_afresh() -> None:
    loaded = load_service(PROBE)

    assert load_afresh(loaded) is loaded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROBE, tmp_path / "probe"))


def test_what_is_no_webassembly_is_refused_with_file_and_reason(folder: Path) -> None:
    _ = (folder / FILE).write_bytes(b"no module at all")

    with pytest.raises(ServiceError, match=r"module\.wasm: .*magic.*4194304|module\.wasm: .*magic"):
        _ = load_service(folder)


def test_a_module_without_code_and_one_with_too_much_are_refused(folder: Path) -> None:
    _ = (folder / FILE).write_bytes(bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(ServiceError, match=r"module\.wasm: more than the allowed"):
        _ = read_service(folder)

    (folder / FILE).unlink()
    with pytest.raises(ServiceError, match=r"module\.wasm: cannot be read: No such file"):
        _ = read_service(folder)


def test_reading_a_module_runs_nothing_of_it(folder: Path) -> None:
    _ = (folder / FILE).write_bytes(b"no module at all")

    assert read_service(folder).manifest.engine == "wasm"


def test_it_has_no_libraries(folder: Path) -> None:
    text = (folder / "manifest.toml").read_text()
    _ = (folder / "manifest.toml").write_text(f'libraries = ["h11"]\n{text}')

    with pytest.raises(ConfigError, match="libraries"):
        _ = read_service(folder)


def test_an_address_that_no_peer_has_is_nobody() -> None:
    play = Playbook(PROBE)

    (sent,) = play.packet("alice", metadata=b"tell")

    assert isinstance(sent, SendPacket)
    assert msgspec.msgpack.decode(sent.packet.payload)[6:8] == [0, False]
    assert sent.to == Address(ALICE)


@pytest.mark.slow
def test_in_the_jail_of_a_worker_it_computes_and_what_goes_wrong_is_one_event(
    program: Callable[[str], str],
) -> None:
    said = program(
        f"""
[end] = start(Path({str(PROBE)!r}))
wanted = [packet(word) for word in (b"", b"trap", b"loop", b"hoard", b"tell", b"")]
print(words(ask(end, *wanted)))
print(reports(1) and jails[0].jail)
"""
    )

    assert "['', 'service_error', 'cpu_exceeded', 'service_error', '', '']" in said

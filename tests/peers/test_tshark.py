"""Wireshark with our dissector and `ei decode` name the same fields with the same values.

The two share no code. Datagrams are built here field by field, and some are mutilated, so that both
are compared on what cannot be read as well.
"""

import json
import random
import subprocess
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from ei.directory.messages import Answer, Ask, Attached, Find, Named
from ei.dissector.capture import read_capture
from ei.dissector.datagrams import dissect, is_ours
from ei.dissector.fields import FIELDS
from ei.lab.capture import Capture
from ei.services.multicast.messages import Join

DATAGRAMS = 2_000


def some_header(chance: random.Random, payload_bytes: int, *, is_control: bool) -> bytes:
    """Return an L3.5 header."""
    has_origin, is_traced = chance.random() < 0.5, chance.random() < 0.5
    metadata = chance.randbytes(13 if is_control else chance.choice([0, 1, 16, 255]))
    service = 1 if is_control else chance.choice([16, 17, 48, 0xF000_0001])
    if is_control and chance.random() < 0.7:
        number = chance.choice([0, 2, 2, 2, 3, 6, 16, 48])
        more = bytes([chance.random() < 0.2])
        metadata = number.to_bytes(4, "little") + chance.randbytes(8) + more
    header = bytes([0x10 | has_origin | is_traced << 1, chance.randrange(256)])
    header += chance.randbytes(2) + service.to_bytes(4, "little") + chance.randbytes(8)
    header += payload_bytes.to_bytes(2, "little") + bytes([len(metadata), chance.randrange(4)])
    source = chance.choice([chance.randbytes(16), bytes(15) + b"\1", b"\xfd\x35" + bytes(14)])
    return header + (source if has_origin else b"") + metadata


def some_value(chance: random.Random, depth: int = 3) -> object:
    """Return what a field of a message may be, and now and then what it may not."""
    values = [
        *(chance.randrange(2 ** chance.choice([7, 8, 16, 32, 64])), -chance.randrange(1, 2**20)),
        *(None, True, False, 0.5, {"a": 1}) * (chance.random() < 0.1),
        *(b"\xfd\x35" + bytes(chance.choice([0, 0, 9]) for _ in range(14)), chance.randbytes(16)),
        *(chance.randbytes(chance.choice([0, 3, 32, 33, 300])), "bob.isp-b", 'a"\\\n\u00e9'),
    ]
    if depth and chance.random() < 0.2:
        return [some_value(chance, depth - 1) for _ in range(chance.choice([0, 1, 2, 20]))]
    return chance.choice(values)


def some_message(chance: random.Random) -> bytes:
    """Return a control message, or something like one."""
    message = chance.choice(
        [
            Find(7, Named("bob.isp-b")),
            Ask(Attached(b"\xfd\x35" + bytes(14)), 120),
            Answer(Named("bob.isp-b"), (bytes(300), bytes(200)), 120, is_leased=True),
            Join(bytes(range(16))),
            [chance.randrange(140), *(some_value(chance) for _ in range(chance.randrange(17)))],
        ]
    )
    return msgspec.msgpack.encode(message) + chance.randbytes(chance.choice([0, 0, 0, 1]))


def some_end_to_end(chance: random.Random) -> bytes:
    """Return what two hosts may say to each other, longer than any payload."""
    kind = chance.choice([0, 0, 1, 2, 3, 4, 5])
    start = chance.randbytes(4) if kind == 0 else bytes([0, 0, 0, 0, kind, 1, 0, 0])
    return start + chance.randbytes(1_300)


def some_data(chance: random.Random) -> bytes:
    """Return a data datagram, covered or not, opened by a tap or not."""
    is_control = chance.random() < 0.3
    payload_bytes = chance.choice([0, 1, 100, 1_200])
    body = some_end_to_end(chance)[:payload_bytes].ljust(payload_bytes, b"\7")
    if is_control and chance.random() < 0.9:
        body = some_message(chance)
    header = some_header(chance, len(body), is_control=is_control)
    body += chance.randbytes(chance.choice([0, 0, 7]))
    is_covered, is_opened = chance.random() < 0.5, chance.random() < 0.7
    sealed = header + (body if is_covered else b"") + chance.randbytes(16)
    prefix = bytes([0x14, is_covered | is_opened << 7]) + len(sealed).to_bytes(2, "little")
    return prefix + chance.randbytes(12) + sealed + (b"" if is_covered else body)


def some_handshake(chance: random.Random) -> bytes:
    """Return an initiation, a response or a cookie."""
    noise = chance.randbytes(chance.choice([48, 131, 200]))
    length = len(noise).to_bytes(2, "little")
    match chance.randrange(3):
        case 0:
            start = b"\x11\x01" + length + chance.randbytes(8) + noise
            return start + bytes(1_200 - 32 - len(start)) + chance.randbytes(32)
        case 1:
            return b"\x12\x01" + length + chance.randbytes(8) + noise + chance.randbytes(16)
        case _:
            return b"\x13\0\0\0" + chance.randbytes(52)


def mutilated(datagram: bytes, chance: random.Random) -> bytes:
    """Return the datagram with a byte of its first 40 changed, or cut, or with bytes after it."""
    changed = bytearray(datagram)
    match chance.randrange(3):
        case 0:
            changed[chance.randrange(min(40, len(changed)))] ^= 1 << chance.randrange(8)
        case 1:
            del changed[chance.randrange(1, len(changed)) :]
        case _:
            changed += chance.randbytes(chance.randrange(1, 20))
    return bytes(changed)


def write_capture(path: Path, *, seed: int) -> None:
    """Write `DATAGRAMS` datagrams of all kinds, a third of them mutilated."""
    chance = random.Random(seed)
    with path.open("wb") as file:
        capture = Capture(file.write, program="test")
        for index in range(DATAGRAMS):
            datagram = (some_data if chance.random() < 0.7 else some_handshake)(chance)
            if index % 3 == 0:
                datagram = mutilated(datagram, chance)
            host = chance.choice(["127.0.0.1", "[fd35::9]"])
            source = f"{host}:{chance.choice([3535, 40_000])}"
            comment = chance.choice(["", "fate=forwarded", "fate=dropped reason=replayed"])
            capture.frame(index * 1_000_000, source, f"{host}:50000", datagram, comment=comment)


def fields_of_tshark(tshark: str, capture: Path) -> dict[int, dict[str, str]]:
    """Return what tshark names in each packet that it takes for ours, by packet number."""
    script = files("ei.dissector") / "ei.lua"
    command = [tshark, "-X", f"lua_script:{script}", "-r", str(capture), "-T", "json"]
    said = subprocess.run(
        [*command, "-J", "ei frame", "--no-duplicate-keys"], check=True, capture_output=True
    )
    packets = [packet["_source"]["layers"] for packet in json.loads(said.stdout)]
    return {
        int(packet["frame"]["frame.number"]): packet["ei"] for packet in packets if "ei" in packet
    }


def fields_of_ours(capture: Path) -> dict[int, dict[str, str]]:
    """Return what `ei decode` names, by packet number."""
    return {
        captured.number: {
            field.name: field.value
            for field in dissect(captured.datagram, comment=captured.comment)
        }
        for captured in read_capture(capture)
        if is_ours(captured.datagram, captured.ports)
    }


@pytest.mark.slow
def test_both_decoders_name_the_same_fields(tshark: str, tmp_path: Path) -> None:
    capture = tmp_path / "all.pcapng"
    write_capture(capture, seed=7)

    theirs = fields_of_tshark(tshark, capture)

    ours = fields_of_ours(capture)
    assert {name for fields in ours.values() for name in fields} == FIELDS.keys()
    assert theirs.keys() == ours.keys()
    for number, fields in ours.items():
        assert theirs[number] == fields, f"packet {number}"


@pytest.mark.slow
def test_display_filters_find_services_and_drop_reasons(tshark: str, tmp_path: Path) -> None:
    capture = tmp_path / "all.pcapng"
    write_capture(capture, seed=8)
    ours = fields_of_ours(capture)
    script = files("ei.dissector") / "ei.lua"

    for name, value in (("ei.service", "16"), ("ei.drop_reason", "replayed")):
        quoted = value if value.isdigit() else f'"{value}"'
        command = [tshark, "-X", f"lua_script:{script}", "-r", str(capture)]
        said = subprocess.run(
            [*command, "-Y", f"{name} == {quoted}"], check=True, capture_output=True
        )

        expected = sum(fields.get(name) == value for fields in ours.values())
        assert len(said.stdout.splitlines()) == expected > 0

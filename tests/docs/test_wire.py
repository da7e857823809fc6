"""The page of the wire says what the code does: offsets add up, examples are what it writes."""

import re
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from ei import attachment
from ei.attachment.statements import MAX_STATEMENT_BYTES, Fate, Statement
from ei.cluster.entries import ORIGIN, make_entry
from ei.cluster.messages import PIECE_BYTES, Refused, encode_message
from ei.cluster.messages import Message as ClusterMessage
from ei.directory.messages import Ask, Message, Named, encode
from ei.directory.publishing import MAX_LEASE_S
from ei.host.files import LENGTH_BYTES
from ei.host.frames import HEADER_BYTES, Frame, FrameKind, encode_frame
from ei.host.numbered import encode_numbered
from ei.host.stream_codes import HOST_CODES, NODE_CODES
from ei.host.stream_ports import MAX_UNROUTED_OF_PEER, PORT_BYTES, PORT_TIMEOUT_NS
from ei.host.verbs_files import FILE_PORT
from ei.node.explaining import HOST_RATE, NODE_RATE, WAIT_S
from ei.records.addresses import parse_address
from ei.records.envelope import MAX_ENVELOPE_BYTES, seal_record
from ei.records.keys import make_keys
from ei.records.kinds import AnyRecord, DomainRecord
from ei.records.lists import (
    MAX_LIST_BYTES,
    MAX_SIGNATURES,
    AnyList,
    DomainList,
    ListedDomain,
    seal_list,
)
from ei.routing import messages as routing
from ei.routing.announcements import (
    MAX_ANNOUNCEMENT_BYTES,
    MAX_OFFERS,
    MAX_PATH,
    Announcement,
    Offer,
    Signer,
)
from ei.routing.verifying import MAX_LIFE_S
from ei.runtime.loader import load_service
from ei.sdk import Legacy
from ei.sdk.streams import MAX_OPENING_BYTES
from ei.services.compression import messages as compression
from ei.services.multicast.messages import (
    MAX_NUMBERS,
    Again,
    Decline,
    Graft,
    Join,
    Leave,
    Missing,
    Prune,
)
from ei.services.relay import messages as relay
from ei.services.termination.messages import (
    MAX_DETAIL,
    MAX_STATUS_BYTES,
    Opening,
    Status,
    write_opening,
    write_status,
)

LISTS = get_args(AnyList) or (AnyList,)
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/wire.md").read_text()
SECTIONS = dict(re.findall(r"^## \d+\. (.+?)\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
TABLE = re.compile(r"^\| at \|.*\n\|---.*\n((?:\|.*\n)+)", re.MULTILINE)
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
GROUP = bytes(range(16))
GOVERNOR = make_keys(b"a" * 32)
ALICE = parse_address("fd35:0:1::1")
ANNOUNCED = Announcement(
    origin=1, sequence=7, expires_unix_s=2_000_000_000, offers=(Offer(16, 1, 2, 3),)
)
ANNOUNCEMENT = Signer(GOVERNOR).extend(ANNOUNCED, ANNOUNCED.digests()[-1], to=2)
EXAMPLES = {
    "announcement": ANNOUNCEMENT,
    "ask": encode(Ask(Named("bob.isp-b"), 120)),
    "entry": make_entry(ORIGIN, 1, b"one").encoded,
    "explain": attachment.encode(attachment.Explain(7, ALICE, 16, 9)),
    "frame": encode_frame(Frame(FrameKind.DATAGRAM_WITH_RECEIPT, 5, b"hi", 9, 7)),
    "join": msgspec.msgpack.encode(Join(GROUP)),
    "list": seal_list(DomainList(1, 2_000_000_000, (GOVERNOR.identity_key,), 1, ()), [GOVERNOR]),
    "numbered": encode_numbered(5, 7, 20),
    "opening": write_opening(Opening(Legacy("example.org", 443))),
    "record": seal_record(DomainRecord("isp-a", 1, 2_000_000_000), GOVERNOR),
    "refused": next(encode_message(Refused(200, 4))),
    "status": write_status(Status("refused", "no")),
    "update": routing.write_message(routing.Update(0, announced=(ANNOUNCEMENT,), withdrawn=(9,))),
}


def rows_of(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


def size_of(field: str) -> int | None:
    """Return the length that a field names; `None` when it varies."""
    if found := re.search(r"(\d+) bytes$", field):
        return int(found[1])
    return SIZES.get(field.rpartition(" ")[2])


@pytest.mark.parametrize("table", TABLE.findall(PAGE))
def test_every_field_begins_where_the_one_before_ends(table: str) -> None:
    rows = rows_of(table)

    for (at, field, *_), (following, *_) in pairwise(rows):
        size = size_of(field)
        if at.isdecimal() and following.isdecimal() and size is not None:
            assert int(at) + size == int(following), field


def test_every_example_is_what_the_code_writes() -> None:
    shown = {
        name: bytes.fromhex(digits)
        for name, digits in re.findall(r"^```text\n(\w+)\n([0-9a-f\s]+)^```", PAGE, re.MULTILINE)
    }

    assert shown == EXAMPLES


def test_every_kind_of_frame_is_named() -> None:
    page = SECTIONS["End to end: frames"]

    assert re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", page, re.MULTILINE) == [
        (str(kind.value), kind.name) for kind in FrameKind
    ]
    assert f"| {HEADER_BYTES} | data |" in page


def test_streams_begin_and_end_as_the_page_says() -> None:
    page = SECTIONS["End to end: streams"]
    tls = (ROOT / "rust/streams/src/tls.rs").read_text()
    identity = (ROOT / "rust/streams/src/identity.rs").read_text()
    protocol = re.search(r'PROTOCOL: &\[u8\] = b"(.+)"', tls)
    prefix = re.search(r"PUBLIC_PREFIX: \[u8; 12\] = \[(.+?)\]", identity, re.DOTALL)

    assert f"| {PORT_BYTES} | data |" in page
    for code, (word, _) in HOST_CODES.items():
        assert f"| {code} | `{word}` |" in page
    for code, (word, _) in enumerate(NODE_CODES):
        assert f"| {code} | `{word}` |" in page
    assert f"| length u16 | at most {MAX_OPENING_BYTES:,} |" in page
    assert f"{MAX_UNROUTED_OF_PEER} streams without their port" in page
    assert f"{PORT_TIMEOUT_NS // 10**9} s each" in page
    assert protocol is not None
    assert f"ALPN: `{protocol[1]}`" in page
    assert prefix is not None
    assert " ".join(re.findall(r"0x(\w\w)", prefix[1])) in page


def test_the_services_and_messages_have_the_numbers_of_the_page() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for name in ("delivery", "echo", "reach", "multicast", "compression"):
        assert f"| {load_service(name).manifest.id} {name} |" in page
    for message in (Join, Leave, Graft, Prune, Decline, Missing, Again):
        tag = message.__struct_config__.tag
        assert f"| {tag} | `{message.__name__}` |" in page
    assert f"up to {MAX_NUMBERS} numbers" in page


def test_every_message_of_compression_is_listed() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for message in (compression.Offer, compression.Taken, compression.Has):
        assert f"| {message.__struct_config__.tag} | `{message.__name__}` |" in page
    assert f"at most {compression.MAX_DICTIONARY_BYTES:,} bytes" in page
    assert f"dictionary {compression.NUMBERS:#x} + n" in page
    assert compression.said(b"") == b"ei compression dictionary 1\0"


def test_every_message_of_a_cluster_is_listed_with_its_fields() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for kind in get_args(ClusterMessage):
        tag = kind.__struct_config__.tag
        fields = ", ".join(f"`{field}`" for field in kind.__struct_fields__)
        assert f"| {tag} | `{kind.__name__}` | {fields} |" in page
    assert f"longer than {PIECE_BYTES // 1024} KiB" in page


def test_every_message_of_the_directory_is_listed_with_its_fields() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for kind in get_args(Message):
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(kind))
        assert f"| {kind.__struct_config__.tag} | `{kind.__name__}` | {fields} |" in page
    assert f"one that is granted\n{MAX_LEASE_S} s" in page


def test_every_message_of_routing_and_field_of_an_announcement_is_listed() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for kind in get_args(routing.Message):
        names = [f"`{field.name}`" for field in msgspec.structs.fields(kind)]
        fields = f" {', '.join(names)} " if names else " "
        assert f"| {kind.__struct_config__.tag} | `{kind.__name__}` |{fields}|" in page
    for place, field in enumerate(msgspec.structs.fields(Announcement)):
        assert f"| {place} | `{field.name}` |" in page
    assert f"at most {MAX_ANNOUNCEMENT_BYTES:,}" in page
    assert f"at most {MAX_OFFERS:,} arrays" in page
    assert f"1 to {MAX_PATH} arrays" in page
    assert f"at most {MAX_LIFE_S:,} s ahead" in page
    assert f"more than {routing.MAX_ENTRIES:,} entries" in page


def test_every_message_of_service_4_and_field_of_a_statement_is_listed() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for kind in get_args(attachment.AttachmentMessage):
        names = [f"`{field.name}`" for field in msgspec.structs.fields(kind)]
        fields = f" {', '.join(names)} " if names else " "
        assert f"| {kind.__struct_config__.tag} | `{kind.__name__}` |{fields}|" in page
    for place, field in enumerate(msgspec.structs.fields(Statement)):
        assert f"| {place} | `{field.name}` |" in page
    for fate in get_args(Fate):
        assert f"`{fate}`" in page
    assert f"answered {HOST_RATE:.0f} times a second, a node {NODE_RATE:,.0f}" in page
    assert f"within {WAIT_S:.0f} s" in page
    assert f"at most {MAX_STATEMENT_BYTES:,} bytes, and is signed" in page


def test_every_kind_of_record_is_listed_with_its_fields() -> None:
    page = SECTIONS["Records"]

    for kind in (*get_args(AnyRecord), *LISTS):
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(kind))
        assert f"| {kind.__struct_config__.tag} | `{kind.__name__}` | {fields} |" in page
    fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(ListedDomain))
    assert f"Each of `domains` is an array of {fields};" in page
    assert f"at most {MAX_ENVELOPE_BYTES:,} bytes" in page
    assert f"at most {MAX_LIST_BYTES:,} bytes" in page
    assert f"signatures, at most {MAX_SIGNATURES} |" in page


def test_files_go_to_the_port_and_begin_as_the_page_says() -> None:
    page = SECTIONS["Payloads of our programs"]

    assert f"to port {FILE_PORT:,} unless" in page
    assert f"| {LENGTH_BYTES} | file |" in page


def test_termination_begins_as_the_page_says() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for kind in (Opening, Status):
        row = re.search(rf"^\| `{kind.__name__}` \|(.+)\|$", page, re.MULTILINE)
        assert row is not None
        assert re.findall(r"`(\w+)`:", row[1]) == list(kind.__struct_fields__)
    assert f"| length u16 | at most {MAX_STATUS_BYTES:,} |" in page
    assert f"at most {MAX_DETAIL} characters" in page


def test_every_message_of_the_relay_is_listed() -> None:
    page = SECTIONS["Services: metadata and control messages"]

    for message in (relay.AskKeys, relay.IssuerKeys, relay.Sign, relay.Signed, relay.Ended):
        assert f"| {message.__struct_config__.tag} | `{message.__name__}` |" in page
    for opening in (relay.KeysOf, relay.Admission, relay.To):
        row = re.search(rf"^\| `{opening.__name__}` \| (\d); (.+)\|$", page, re.MULTILINE)
        assert row is not None
        assert int(row[1]) == opening.__struct_config__.tag
        assert re.findall(r"`(\w+)`:", row[2]) == list(opening.__struct_fields__)
    assert f"up to {relay.MAX_REQUESTS} token requests" in page
    assert f"an array of up to {relay.MAX_KEYS} of" in page
    assert f"the first {relay.GRANT_BYTES} bytes of the token" in page

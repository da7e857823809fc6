"""Stories that a module's folder brings, in `corpus/*.jsonl`: one JSON object a line.

    {"config": {"decision_s": 1.0}}
    {"packet": {"from": "alice", "metadata": "@bob", "payload": "hello"}}
    {"after_s": 2.5, "control": {"from": "bob", "message": {"type": "join", "group": "..."}}}
    {"peer": {"name": "east", "is_up": false}}
    {"opened": {"stream": 2, "from": "alice", "opening": "hex:90"}}
    {"data": {"stream": 2, "data": "GET /", "is_end": true}}
    {"closed": {"stream": 2, "reason": "ended"}}

Bytes are text, or `hex:00ff`, or `@bob`, the address of a host of that name. A message is as
msgspec writes it in JSON.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Union

import msgspec
from msgspec import Meta

from ei.conform.corpus import Step, Story
from ei.errors import ConfigError
from ei.runtime.batches import ControlReceived, Item
from ei.runtime.loader import LoadedService
from ei.sdk import (
    Address,
    Connection,
    Packet,
    PacketArrived,
    PeerChanged,
    StreamClosed,
    StreamData,
    StreamOpened,
)
from ei.testing import address

FOLDER = "corpus"
PATTERN = "*.jsonl"
MAX_FILE_BYTES = 1024 * 1024
MAX_EVENTS = 4_096
MAX_STORIES = 64
WINDOW_BYTES = 65_536

AfterS = Annotated[float, Meta(ge=0, le=86_400)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,9}(\.\d{1,9})?$")]


class _Packet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    sender: Name
    source: Name | None = None
    connection: int = 1
    metadata: str = ""
    payload: str = ""
    is_covered: bool = True


class _Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    sender: Name
    message: msgspec.Raw


class _Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    is_up: bool = True


class _Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    stream: int
    sender: Name
    opening: str = ""


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stream: int
    data: str = ""
    is_end: bool = False


class _Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stream: int
    reason: str = "ended"


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    after_s: AfterS = 0.0
    config: dict[str, Any] | None = None
    packet: _Packet | None = None
    control: _Control | None = None
    peer: _Peer | None = None
    opened: _Opened | None = None
    data: _Data | None = None
    closed: _Closed | None = None


_LINES = msgspec.json.Decoder(_Line)


def read_files(folder: Path) -> dict[Path, bytes]:
    """Read what a module's folder brings; nothing where there is no `corpus/`.

    Raises:
        ConfigError: There are too many files, or one is too large: what is allowed.
    """
    paths = sorted((folder / FOLDER).glob(PATTERN))
    if len(paths) > MAX_STORIES:
        raise ConfigError(f"{folder / FOLDER}: {len(paths)} files, {MAX_STORIES} allowed")
    return {path: _read(path) for path in paths}


def parse_stories(files: Mapping[Path, bytes], loaded: LoadedService) -> tuple[Story, ...]:
    """Return the stories of these files, with the messages of a module.

    Raises:
        ConfigError: A file is none of ours: its name and line, what was seen, what is allowed.
    """
    return tuple(_parse(path, content, loaded) for path, content in files.items())


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: more than the allowed {MAX_FILE_BYTES} B")
    return content


def _parse(path: Path, content: bytes, loaded: LoadedService) -> Story:
    steps: list[Step] = []
    config: dict[str, object] = {}
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = _LINES.decode(text)
            items = tuple(_items_of(line, loaded))
        except (msgspec.MsgspecError, ValueError) as error:
            raise ConfigError(f"{path}:{number}: {error}") from error
        if line.config is not None:
            config |= line.config
        elif len(items) != 1:
            raise ConfigError(f"{path}:{number}: {len(items)} events seen, one a line allowed")
        else:
            steps.append(Step(line.after_s, items))
    if len(steps) > MAX_EVENTS:
        raise ConfigError(f"{path}: {len(steps)} events seen, {MAX_EVENTS} allowed")
    return Story(path.name, config, tuple(steps))


def _items_of(line: _Line, loaded: LoadedService) -> list[Item]:
    items: list[Item] = []
    if line.packet is not None:
        items.append(PacketArrived(_packet_of(line.packet, loaded.manifest.id)))
    if line.control is not None:
        items.append(ControlReceived(address(line.control.sender), _message(line.control, loaded)))
    if line.peer is not None:
        items.append(PeerChanged(address(line.peer.name), line.peer.is_up))
    if line.opened is not None:
        opened, opening = line.opened, _bytes_of(line.opened.opening)
        items.append(StreamOpened(opened.stream, address(opened.sender), opening, WINDOW_BYTES))
    if line.data is not None:
        items.append(StreamData(line.data.stream, _bytes_of(line.data.data), line.data.is_end))
    if line.closed is not None:
        items.append(StreamClosed(line.closed.stream, line.closed.reason, 0, 0))
    return items


def _packet_of(line: _Packet, service: int) -> Packet:
    return Packet(
        service=service,
        ingress=address(line.sender),
        source=address(line.source or line.sender),
        connection=Connection(line.connection),
        metadata=_bytes_of(line.metadata),
        payload=_bytes_of(line.payload),
        is_covered=line.is_covered,
    )


def _message(line: _Control, loaded: LoadedService) -> bytes:
    if not loaded.messages:
        raise ValueError("control: the module has no messages")
    kinds: Any = Union[loaded.messages]  # noqa: UP007 made at run time
    return msgspec.msgpack.encode(msgspec.json.decode(line.message, type=kinds))


def _bytes_of(text: str) -> bytes:
    if text.startswith("@"):
        return Address(address(text[1:]))
    if text.startswith("hex:"):
        return bytes.fromhex(text[4:])
    return text.encode()

from pathlib import Path

import msgspec
import pytest
from tests.conform.planted import HONEST

from ei.conform.corpus import Story
from ei.conform.recorded import parse_stories, read_files
from ei.errors import ConfigError
from ei.runtime.batches import ControlReceived
from ei.runtime.loader import LoadedService, load_service
from ei.sdk import PacketArrived, PeerChanged, StreamClosed, StreamData, StreamOpened
from ei.testing import address


def read_stories(loaded: LoadedService) -> tuple[Story, ...]:
    return parse_stories(read_files(loaded.folder), loaded)


def loaded_with(place: Path, text: str) -> LoadedService:
    folder = HONEST.plant(place)
    (folder / "corpus").mkdir()
    _ = (folder / "corpus" / "one.jsonl").write_text(text)
    return load_service(folder)


def test_each_line_is_an_event_or_the_configuration(tmp_path: Path) -> None:
    text = """\
{"config": {}}
{"packet": {"from": "alice", "metadata": "@bob", "payload": "hex:00ff"}}

{"after_s": 2.5, "peer": {"name": "east", "is_up": false}}
{"opened": {"stream": 2, "from": "bob", "opening": "hi"}}
{"data": {"stream": 2, "data": "x", "is_end": true}}
{"closed": {"stream": 2}}
"""

    (story,) = read_stories(loaded_with(tmp_path, text))

    packet, peer, opened, data, closed = (item for step in story.steps for item in step.items)
    assert isinstance(packet, PacketArrived)
    assert (packet.packet.metadata, packet.packet.payload) == (address("bob"), b"\0\xff")
    assert peer == PeerChanged(address("east"), is_up=False)
    assert opened == StreamOpened(2, address("bob"), b"hi", 65_536)
    assert data == StreamData(2, b"x", is_end=True)
    assert closed == StreamClosed(2, "ended", 0, 0)
    assert [step.after_s for step in story.steps] == [0.0, 2.5, 0.0, 0.0, 0.0]


def test_a_message_is_read_by_the_types_of_the_module(tmp_path: Path) -> None:
    multicast = load_service("multicast")
    kind = multicast.messages[0]
    assert read_stories(multicast) == () or kind
    folder = tmp_path / "planted"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "one.jsonl:1: Input data was truncated"),
        ('\n{"packt": {}}', "one.jsonl:2: Object contains unknown field `packt`"),
        ('{"packet": {"from": "ALICE"}}', "one.jsonl:1: "),
        ('{"after_s": 1.0}', "one.jsonl:1: 0 events seen, one a line allowed"),
        ('{"control": {"from": "bob", "message": 1}}', "the module has no messages"),
        ('{"packet": {"from": "alice", "payload": "hex:zz"}}', "one.jsonl:1: "),
    ],
)
def test_what_is_none_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        _ = read_stories(loaded_with(tmp_path, text))


def test_a_folder_that_brings_nothing_has_no_stories(tmp_path: Path) -> None:
    assert read_stories(load_service(HONEST.plant(tmp_path))) == ()
    assert msgspec
    assert ControlReceived

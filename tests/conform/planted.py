"""Modules that each break one law on purpose, and how the law is called that they break."""

from dataclasses import dataclass, field
from pathlib import Path

from ei.conform.laws import Law

NAME = "planted"
MANIFEST = """
id = 0xF0000001
name = "planted"
version = "0.0.1"
summary = "Breaks a law."
counters = ["seen"]
drop_reasons = ["unwanted"]
"""
HEAD = "from ei.sdk import *\n"
SERVICE = """

class Planted(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        packet = event.packet
{body}

SERVICE = Planted
"""


@dataclass(frozen=True)
class Planted:
    """A module that breaks laws.

    Attributes:
        breaks: Exactly these.
        body: Of its `on_packet`.
        before: What is in the file ahead of it.
        manifest: What its manifest has besides.
        files: Others of its folder.
    """

    breaks: frozenset[Law]
    body: str
    before: str = ""
    manifest: str = ""
    files: dict[str, str] = field(default_factory=dict)

    def plant(self, place: Path) -> Path:
        """Write its folder below `place`; return it."""
        folder = place / NAME
        folder.mkdir()
        body = "\n".join(f"        {line}" for line in self.body.strip().splitlines())
        _ = (folder / "manifest.toml").write_text(MANIFEST + self.manifest)
        _ = (folder / "service.py").write_text(HEAD + self.before + SERVICE.format(body=body))
        for name, text in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            _ = (folder / name).write_text(text)
        return folder


def only(*laws: Law) -> frozenset[Law]:
    return frozenset(laws)


HONEST = Planted(
    only(),
    """
ctx.stable.put(packet.source, packet.metadata)
yield Count("seen")
yield from forward(packet, (Hop(packet.ingress),), ttl_s=1.0)
""",
    manifest="stable_bytes = 10_000",
)

PLANTED: dict[str, Planted] = {
    "counts in a global": Planted(
        only("function", "transaction", "stable_first"),
        """
SEEN.append(0)
yield Count("seen", len(SEEN) % 7 + 1)
yield DropPacket("unwanted")
""",
        before="SEEN = []\n",
    ),
    "leaves a mark while it handles an event": Planted(
        only("transaction"),
        """
yield Count("seen", 2 if packet.source in BUSY else 1)
BUSY.add(packet.source)
yield Count("seen")
yield DropPacket("unwanted")
BUSY.discard(packet.source)
""",
        before="BUSY = set()\n",
    ),
    "believes that what it wrote is kept": Planted(
        only("stable_first", "transaction"),
        """
if packet.source not in WRITTEN:
    ctx.stable.put(packet.source, b"")
yield SendPacket(packet, packet.ingress)
WRITTEN.add(packet.source)
""",
        before="WRITTEN = set()\n",
        manifest="stable_bytes = 10_000",
    ),
    "decides for another connection": Planted(
        only("install_first"),
        """
key = key_of(packet)
other = Key(key.ingress, key.source, (key.connection + 1) % 4, key.metadata, key.egress)
yield InstallDecision(Decision(other, Forward((Hop(packet.ingress),)), ttl_s=1.0))
yield SendPacket(packet, packet.ingress)
""",
    ),
    "decides otherwise than it does": Planted(
        only("soft_decisions"),
        """
decision = Decision(key_of(packet), Discard("unwanted"), ttl_s=10.0)
yield InstallDecision(decision)
yield SendPacket(packet, packet.ingress)
""",
    ),
    "forgets to answer": Planted(only("one_fate"), 'yield Count("seen")'),
    "answers twice": Planted(
        only("one_fate"), 'yield DropPacket("unwanted")\nyield SendPacket(packet, packet.ingress)'
    ),
    "asks without end": Planted(only("bounded"), 'while True:\n    yield Count("seen")'),
    "keeps without end": Planted(
        only("bounded"),
        """
number = len(ctx.ephemeral.get(b"") or b"") + 1
ctx.ephemeral.put(b"", bytes(number))
ctx.ephemeral.put(bytes([number]), b"")
yield DropPacket("unwanted")
""",
        manifest="ephemeral_bytes = 400",
    ),
    "counts what its manifest does not know": Planted(
        only("declared"), 'yield Count("unknown")\nyield DropPacket("unwanted")'
    ),
    "drops for a reason that its manifest does not know": Planted(
        only("declared"), 'yield DropPacket("unknown")'
    ),
    "opens streams without the capability": Planted(
        only("declared"),
        'yield OpenStream(1, AtHost(packet.source, 7))\nyield DropPacket("unwanted")',
    ),
    "raises": Planted(
        only("no_fault"),
        """
if packet.payload == b"other":
    raise ValueError("planted")
yield DropPacket("unwanted")
""",
    ),
    "reads payloads without the capability": Planted(
        only("payload_unread"),
        'yield Count("seen", len(packet.payload) + 1)\nyield DropPacket("unwanted")',
    ),
    "reads more metadata than it says": Planted(
        only("metadata_unread"),
        """
ttl_s = 1.0 + len(packet.metadata.rstrip(bytes(1)))
yield from forward(packet, (Hop(packet.ingress),), ttl_s=ttl_s)
""",
        manifest="match_metadata = 1",
    ),
    "counts the events of a batch": Planted(
        only("batches"),
        """
yield Count("seen", 2 if LAST[0] is ctx else 1)
yield DropPacket("unwanted")
LAST[0] = ctx
""",
        before="LAST = [None]\n",
    ),
    "asks for more than a simulation has time for": Planted(
        only("simulation"),
        'yield from [Count("seen")] * 1_000\nyield DropPacket("unwanted")',
        manifest="handler_ms = 1",
    ),
    "brings a reference that does something else": Planted(
        only("stages"),
        'yield DropPacket("unwanted")',
        files={
            "stages.py": """
class Reference:
    def keep(self, dictionary):
        pass

    def compress(self, payload, dictionary, ratio):
        return None

    def decompress(self, frame, ratio, limit_bytes):
        raise ValueError("undecodable")
"""
        },
    ),
    "goes by the order of a set": Planted(
        only("worker"),
        """
for tag in {bytes([number]) for number in range(16)}:
    yield RevokeDecisions(tag)
yield DropPacket("unwanted")
""",
    ),
}

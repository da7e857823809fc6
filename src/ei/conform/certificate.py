"""What `ei module conform` says of a module: which laws it keeps, where, on what it was played."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.conform.laws import Law
from ei.conform.verdicts import Result

SCHEMA = "ei.certificate/1"

Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]


class Surroundings(msgspec.Struct, frozen=True):
    """Where it was run.

    Attributes:
        ei: Version of this program.
        compat: Newest compatibility date that it knows.
        python: Version of Python.
        machine: Such as `Linux x86_64`.
        jail: Layers that held in the jail of each process that ran it.
        jail_gaps: Those that could not be had, with the reason.
    """

    ei: str
    compat: str
    python: str
    machine: str
    jail: tuple[str, ...] = ()
    jail_gaps: dict[str, str] = {}


class Played(msgspec.Struct, frozen=True):
    """What it was played.

    Attributes:
        digest: Of all stories.
        seed: Of what was drawn.
        stories: How many: one that is drawn, and those of its folder.
        events: In all.
    """

    digest: Digest
    seed: int
    stories: int
    events: int


class LawResult(msgspec.Struct, frozen=True):
    """What became of one law, on all stories.

    Attributes:
        law: Its word.
        result: `kept`, `broken`, or `none` where the module has nothing that it is about.
        story: Where it was broken first; empty unless it was.
        event: Number of the event in that story, from 1; 0 where it is about none.
        said: What was seen, in words.
    """

    law: Law
    result: Result
    story: str = ""
    event: int = 0
    said: str = ""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of it. The same module, environment and seed have the same certificate.

    Attributes:
        schema: `ei.certificate/1`.
        module: Its name.
        version: Of its manifest.
        digest: Of its package.
        engine: What runs it, such as `python`.
        compat: Its compatibility date.
        environment: Where it was run.
        corpus: What it was played.
        laws: Each law's result.
        effects: Digest of all effects of all stories, one event at a time.
        state: Digest of its state at the end of each story.
    """

    schema: str = SCHEMA
    module: str
    version: str
    digest: Digest
    engine: str
    compat: str
    environment: Surroundings
    corpus: Played
    laws: tuple[LawResult, ...]
    effects: Digest
    state: Digest

    @property
    def is_kept(self) -> bool:
        """Whether no law is broken."""
        return all(law.result != "broken" for law in self.laws)


def read_certificate(content: bytes) -> Certificate:
    """Read one.

    Raises:
        ValidationError: It is none.
    """
    certificate = msgspec.json.decode(content, type=Certificate)
    if certificate.schema != SCHEMA:
        raise msgspec.ValidationError(f"schema {certificate.schema!r} seen, {SCHEMA!r} allowed")
    return certificate


def write_certificate(certificate: Certificate) -> bytes:
    """Return its bytes: what a registry keeps, and what its digest is of."""
    return msgspec.json.format(msgspec.json.encode(certificate), indent=1) + b"\n"

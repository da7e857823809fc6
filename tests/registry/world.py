"""A registry of five governors and three witnesses in a folder, and nodes that follow it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ei.errors import NotFoundError
from ei.records.governance import Governance
from ei.records.keys import Keys, make_keys
from ei.registry.client import RegistryClient, Trust
from ei.registry.fetching import fetch_from
from ei.registry.following import Fetch
from ei.registry.metadata import Signing
from ei.registry.notes import COSIGNATURE, NoteKey, parse_signature
from ei.registry.package import digest_of, pack, unpack
from ei.registry.releases import Release, release_of
from ei.registry.repository import Registry
from ei.registry.submitting import sign_submission, submission_place
from ei.registry.witness import Witness

NOW = 1_800_000_000.0
NUMBER = 0xF0000001
LOG = "registry.test/log"


def keys_of(name: str) -> Keys:
    """Return the keys of somebody."""
    return make_keys(name.encode().ljust(32, b"."))


GOVERNORS = [keys_of(f"governor {number}") for number in range(5)]
WITNESSES = [keys_of(f"witness {number}") for number in range(3)]
AUTHOR = keys_of("author")


def governance(governors: list[Keys], threshold: int = 3) -> Governance:
    """Return who governs."""
    return Governance(frozenset(keys.identity_key for keys in governors), threshold)


def write_module(
    folder: Path, *, version: str = "0.1.0", number: int = NUMBER, text: str = "hello"
) -> Path:
    """Write the folder of a module."""
    folder.mkdir(parents=True, exist_ok=True)
    head = f'id = {number}\nname = "{folder.name}"\nversion = "{version}"\nsummary = "A module."\n'
    _ = (folder / "manifest.toml").write_text(head)
    _ = (folder / "service.py").write_text(f'"""{text}"""\n')
    return folder


def certificate_of(package: bytes) -> bytes:
    """Return what a certificate of conformance begins with."""
    return json.dumps({"schema": "ei.certificate/1", "digest": digest_of(package)}).encode()


class World:
    """All that is needed for a release to come to a node."""

    def __init__(self, folder: Path, *, needed: int = 2, unix_s: float = NOW) -> None:
        self.folder = folder
        self.unix_s = unix_s
        witnesses = tuple(
            NoteKey(f"witness.test/{number}", COSIGNATURE, keys.identity_key)
            for number, keys in enumerate(WITNESSES)
        )
        self.registry = Registry.begin(
            folder / "registry",
            governance(GOVERNORS),
            witnesses=witnesses,
            needed=needed,
            name=LOG,
            unix_s=self.unix_s,
        )
        _ = self.registry.sign(GOVERNORS[:3])
        self.registry.publish(unix_s=self.unix_s)
        self.witness()

    @property
    def public(self) -> Path:
        """What the registry shows."""
        return self.registry.folder / "public"

    @property
    def first_root(self) -> bytes:
        """Where trust begins."""
        return (self.public / "metadata" / "1.root.json").read_bytes()

    def witnesses(self, place: Path | None = None) -> list[Witness]:
        """Return the witnesses, who look at a folder."""
        fetch = fetch_from(str(place or self.public))
        return [
            Witness(self.folder / f"witness-{number}", keys, f"witness.test/{number}", fetch)
            for number, keys in enumerate(WITNESSES)
        ]

    def witness(self) -> None:
        """Have all witnesses cosign the newest log."""
        for each in self.witnesses():
            line = each.look(unix_s=self.unix_s)
            _ = self.registry.take_cosignatures([parse_signature(line.rstrip("\n"))])

    def submit(  # noqa: PLR0913 what a release may be
        self,
        name: str = "hello",
        *,
        version: str = "0.1.0",
        number: int = NUMBER,
        text: str = "hello",
        author: Keys = AUTHOR,
        is_certified: bool = False,
    ) -> Release:
        """Submit a release, and have it witnessed."""
        folder = write_module(
            self.folder / "modules" / name, version=version, number=number, text=text
        )
        return self.submit_folder(folder, author=author, is_certified=is_certified)

    def submit_folder(
        self, folder: Path, *, author: Keys = AUTHOR, is_certified: bool = False
    ) -> Release:
        """Submit the module or bundle of a folder, and have it witnessed."""
        package = pack(folder)
        certificate = certificate_of(package) if is_certified else b""
        release = release_of(package, unpack(package), certificate=certificate)
        path = self.public / submission_place(release.name)
        before = path.read_bytes() if path.exists() else None
        signed = sign_submission(release, before, author, unix_s=self.unix_s)
        _ = self.registry.submit(package, signed, certificate=certificate, unix_s=self.unix_s)
        self.witness()
        return release

    def approve(self, release: Release, *, share: float = 1.0, unix_s: float | None = None) -> None:
        """Have three of five governors approve a release."""
        _ = self.registry.approve(release.name, release.version, unix_s=unix_s or self.unix_s)
        _ = self.registry.sign(GOVERNORS[:3])
        self.registry.publish(share=share, unix_s=unix_s or self.unix_s)

    def revoke(self, release: Release, *, why: str) -> None:
        """Have three of five governors take a release back."""
        _ = self.registry.revoke(release.name, release.version, why=why, unix_s=self.unix_s)
        _ = self.registry.sign(GOVERNORS[:3])
        self.registry.publish(unix_s=self.unix_s)

    def rotate(self, signers: list[Keys], change: Callable[[Signing], Signing]) -> None:
        """Change keys."""
        _ = self.registry.rotate(change(self.registry.signing()), unix_s=self.unix_s)
        _ = self.registry.sign(signers)
        self.registry.publish(unix_s=self.unix_s)

    def client(self, name: str = "node", fetch: Fetch | None = None) -> RegistryClient:
        """Return a node's client."""
        trust = Trust(self.first_root)
        return RegistryClient(self.folder / name, trust, fetch or fetch_from(str(self.public)))


def with_online_key(online: bytes) -> Callable[[Signing], Signing]:
    """Return a change of the online key."""
    return lambda signing: replace(signing, online=online)


def with_governors(governors: list[Keys]) -> Callable[[Signing], Signing]:
    """Return a change of who governs."""
    return lambda signing: replace(signing, governance=governance(governors))


def lying(fetch: Fetch, lies: Mapping[str, bytes | None]) -> Fetch:
    """Return what shows other files, or none, in the place of some."""

    def fetched(name: str, limit: int) -> bytes:
        if name not in lies:
            return fetch(name, limit)
        if (lie := lies[name]) is None:
            raise NotFoundError(f"no {name}")
        return lie

    return fetched

"""Who governs in the scenario: five governors, three witnesses, an author, and their registry.

All keys follow from the seed, and are in this program: it plays everybody's part, and its enemies'.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread

from ei.lab.seeds import derive
from ei.records.governance import Governance
from ei.records.keys import Keys, make_keys
from ei.registry.disk import FolderMap
from ei.registry.fetching import fetch_from
from ei.registry.ledger import Ledger
from ei.registry.notes import COSIGNATURE, NoteKey, cosign, parse_signature
from ei.registry.package import pack, unpack
from ei.registry.releases import Release, release_of
from ei.registry.reports import REPORTS_PATH, Reports
from ei.registry.repository import Registry
from ei.registry.serving import Server
from ei.registry.submitting import sign_submission, submission_place
from ei.registry.witness import Witness
from ei.sdk.packets import Address

GOVERNORS, NEEDED = 5, 3
WITNESSES, COSIGNERS = 3, 2
LOG = "governance.scenario/log"
HOST = "127.0.0.1"


class Council:
    """Keeps a registry in a folder, and serves it until it is closed.

    Args:
        folder: A new one.
        seed: Of all keys.
        reporters: The nodes whose reports are believed.
    """

    def __init__(self, folder: Path, seed: int, reporters: Sequence[Address]) -> None:
        self._folder = folder
        self.governors = [_keys(seed, f"governor {number}") for number in range(GOVERNORS)]
        self.witnesses = [_keys(seed, f"witness {number}") for number in range(WITNESSES)]
        self.author = _keys(seed, "author")
        governing = frozenset(keys.identity_key for keys in self.governors)
        self.registry = Registry.begin(
            folder / "registry",
            Governance(governing, NEEDED),
            witnesses=tuple(
                NoteKey(_witness(number), COSIGNATURE, keys.identity_key)
                for number, keys in enumerate(self.witnesses)
            ),
            needed=COSIGNERS,
            name=LOG,
            unix_s=time.time(),
        )
        self.sign(NEEDED)
        self.registry.publish(unix_s=time.time())
        self._witness()
        self.reports = Reports(self.registry, reporters, unix_s=time.time)
        self._servers: list[Server] = []
        self.url = self.serve(self.public, self.reports)

    @property
    def public(self) -> Path:
        """What the registry shows."""
        return self.registry.folder / "public"

    @property
    def root(self) -> Path:
        """The file with which trust begins."""
        return self.public / "metadata" / "1.root.json"

    def serve(self, public: Path, reports: Reports | None = None) -> str:
        """Serve a folder, this registry's or a forged one; return its address."""
        posts = {} if reports is None else {f"/{REPORTS_PATH}": reports.take}
        server = Server((HOST, 0), public, posts)
        self._servers.append(server)
        Thread(target=server.serve_forever, name="registry", daemon=True).start()
        return f"http://{HOST}:{server.server_address[1]}"

    def submit(self, module: Path) -> Release:
        """Have a module submitted by its author, logged and witnessed."""
        package = pack(module)
        release = release_of(package, unpack(package))
        place = self.public / submission_place(release.name)
        before = place.read_bytes() if place.exists() else None
        signed = sign_submission(release, before, self.author, unix_s=time.time())
        _ = self.registry.submit(package, signed, unix_s=time.time())
        self._witness()
        return release

    def propose(self, release: Release) -> None:
        """Ask for signatures under a release."""
        _ = self.registry.approve(release.name, release.version, unix_s=time.time())

    def sign(self, count: int) -> None:
        """Have so many governors sign what is proposed."""
        _ = self.registry.sign(self.governors[:count])

    def publish(self, share: float) -> None:
        """Publish what is signed.

        Raises:
            IntegrityError: by too few.
        """
        self.registry.publish(share=share, unix_s=time.time())

    def revoke(self, release: Release, why: str) -> None:
        """Take a release back, with as many signatures as that takes."""
        _ = self.registry.revoke(release.name, release.version, why=why, unix_s=time.time())
        self.sign(NEEDED)
        self.publish(0.0)

    def replace_online_key(self) -> None:
        """Have governance sign for another online key, since somebody else has the one in use."""
        signing = replace(self.registry.signing(), online=self.registry.new_online_key())
        _ = self.registry.rotate(signing, unix_s=time.time())
        self.sign(NEEDED)
        self.publish(0.0)

    def cosign(self, log: FolderMap) -> None:
        """Have all witnesses cosign a log without looking: they lie."""
        ledger = Ledger(log, self.registry.signing().log)
        note, _ = ledger.newest()
        for number, keys in enumerate(self.witnesses):
            signature = cosign(note.text, keys, _witness(number), unix_s=int(time.time()))
            _ = ledger.take([signature])

    def close(self) -> None:
        """Serve no more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _witness(self) -> None:
        fetch = fetch_from(str(self.public))
        for number, keys in enumerate(self.witnesses):
            seen = self._folder / f"witness-{number}"
            line = Witness(seen, keys, _witness(number), fetch).look(unix_s=time.time())
            _ = self.registry.take_cosignatures([parse_signature(line.rstrip("\n"))])


def _keys(seed: int, name: str) -> Keys:
    return make_keys(derive(seed, name))


def _witness(number: int) -> str:
    return f"witness-{number}.scenario"

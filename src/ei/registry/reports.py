"""What a node says of a release that did worse than the one before: signed; it stops the roll-out.

A report stops a release that a part of the nodes has; one that all have only governance takes back.
Who may report is the registry's to say: nodes are known by their addresses, which follow from the
keys that sign.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from ei.errors import ConfigError, IntegrityError, LocalError, NotFoundError
from ei.records.addresses import domain_number_of, make_address, parse_address
from ei.records.keys import Keys
from ei.records.signed import Form
from ei.registry.releases import MILLION, Digest, Rollout, parse_custom, target_path
from ei.sdk.packets import Address, Peer

if TYPE_CHECKING:
    from ei.registry.repository import Registry

REPORTS_PATH = "reports"
REPORTERS_FILE = "reporters"
TAG = b"ei release report 1\0"
MAX_REPORT_BYTES = 2_048
MAX_KEPT = 4_096
MAX_AGE_S = 600
"""How old a report may be: who recorded one, and sends it again, stops nothing."""
ACCEPTED, REFUSED, UNKNOWN = 202, 403, 404

Count = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(max_length=200)]


class Report(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node has given a release up.

    Attributes:
        node: Who says so.
        name, version, digest: Of the release.
        events, failed: What it did there, and what of that came to nothing.
        why: For people.
        unix_s: When.
    """

    node: Peer
    name: Text
    version: Text
    digest: Digest
    events: Count
    failed: Count
    why: Text
    unix_s: Count


FORM: Final = Form("report", msgspec.msgpack.Decoder(Report), TAG, MAX_REPORT_BYTES)


def seal_report(report: Report, keys: Keys) -> bytes:
    """Return the report, signed by its node."""
    return FORM.seal(report, keys)


def open_report(envelope: bytes) -> Report:
    """Return a report whose signature is its node's.

    Raises:
        IntegrityError: it is none, or another's.
    """
    report, signer = FORM.open(envelope)
    if make_address(domain_number_of(report.node), signer) != report.node:
        raise IntegrityError("the report is signed by another than its node", word="bad_signature")
    return report


def read_reporters(path: Path) -> tuple[Address, ...]:
    """Return the addresses in a file, one a line; none where there is no such file.

    Raises:
        ConfigError: a line is no address.
    """
    try:
        lines = path.read_text().split()
    except FileNotFoundError:
        return ()
    try:
        return tuple(map(parse_address, lines))
    except LocalError as error:
        raise ConfigError(
            f"{path}: {error}", remedy="Write the address of one node in each line."
        ) from error


class Reports:
    """Takes reports, for `ei.registry.serving.Server`; the first one stops a release.

    Args:
        reporters: Addresses of the nodes that are believed.
        unix_s: Reads the clock.
    """

    def __init__(
        self, registry: "Registry", reporters: Collection[Address], *, unix_s: Callable[[], float]
    ) -> None:
        self._registry = registry
        self._reporters = frozenset(reporters)
        self._unix_s = unix_s
        self._kept: dict[tuple[Address, str], Report] = {}
        self._stopped = 0
        self._refused = 0

    def __repr__(self) -> str:
        return f"<Reports {len(self._kept)} kept, {self._refused} refused>"

    def kept(self) -> tuple[Report, ...]:
        """Return what was reported, the newest last; one of each node for each release."""
        return tuple(self._kept.values())

    def statistics(self) -> dict[str, int]:
        """Return counts since the start."""
        return {"kept": len(self._kept), "stopped": self._stopped, "refused": self._refused}

    def take(self, envelope: bytes) -> tuple[int, bytes]:
        """Take one; return status and answer of HTTP."""
        try:
            report = open_report(envelope)
        except IntegrityError as error:
            self._refused += 1
            return REFUSED, f"{error}\n".encode()
        if report.node not in self._reporters:
            self._refused += 1
            return REFUSED, b"reports of this node are not believed here\n"
        try:
            release, _ = self._registry.submission(report.name, report.version)
        except NotFoundError as error:
            self._refused += 1
            return UNKNOWN, f"{error}\n".encode()
        if release.digest != report.digest:
            self._refused += 1
            return UNKNOWN, b"there is no such release\n"
        known = self._kept.get((report.node, report.digest))
        is_old = abs(self._unix_s() - report.unix_s) > MAX_AGE_S
        if is_old or (known is not None and report.unix_s <= known.unix_s):
            self._refused += 1
            return REFUSED, b"the report is old, or was here before: it says nothing of now\n"
        self._kept[report.node, report.digest] = report
        while len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return ACCEPTED, self._stop(report)

    def _stop(self, report: Report) -> bytes:
        path = target_path(report.name, report.version)
        target = self._registry.rollout().targets.get(path)
        share = 0 if target is None else parse_custom(target.custom, Rollout).share_ppm
        if not 0 < share < MILLION:
            return b"kept; only governance stops what all nodes have\n"
        self._registry.set_share(report.name, report.version, 0.0, unix_s=self._unix_s())
        self._stopped += 1
        return b"the roll-out is stopped\n"

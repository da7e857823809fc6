"""Releases: as nodes have them, and as metadata and log have them. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from ei.errors import ConfigError, IntegrityError
from ei.registry.package import digest_of, kind_of

Kind = Literal["module", "bundle"]
Digest = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$")]
NAME = "[a-z][a-z0-9_-]{0,63}"
VERSION = r"[0-9]{1,18}\.[0-9]{1,18}\.[0-9]{1,18}([-+][0-9A-Za-z.+-]+)?"
MAX_WHY = 200
MILLION = 1_000_000

REASONS = {
    "threshold": "It is signed by too few of the keys that must sign it.",
    "rollback": "It is older than what was seen before.",
    "freeze": "It has expired, and nothing newer is shown.",
    "mix_and_match": "Files of different states are shown together.",
    "endless_data": "It is longer than it may be.",
    "fast_forward": "Its version leaps further than versions grow.",
    "split_view": "The log shows another history than was seen, here or by another node.",
    "unwitnessed": "Too few witnesses have cosigned the log.",
    "malformed": "It is no metadata, note or entry at all.",
    "unlogged": "The log does not have it where governance says.",
    "unsigned": "Its author has not signed it.",
    "unapproved": "It is rolled out, and governance has not approved it.",
    "package": "The bytes are not those that were approved.",
    "revoked": "Governance has revoked it.",
}
"""Why a client of the registry refuses: word, and what happened."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a module or bundle.

    Attributes:
        name, version: As its manifest says.
        number: Of the service, or of the chain of a bundle.
        digest: Of its package: `sha256:` and 64 digits.
        size_bytes: Of its package.
        kind: What it is a release of.
        share: Of the nodes that should run it, 0.0 to 1.0; 0.0 where nothing is said.
        revoked: Why it must not run; empty when it may.
        certificate: Digest of the certificate of conformance beside it; empty without one.
    """

    name: str
    version: str
    number: int
    digest: str
    size_bytes: int
    kind: Kind = "module"
    share: float = 0.0
    revoked: str = ""
    certificate: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def is_revoked(self) -> bool:
        """Whether governance has taken it back."""
        return bool(self.revoked)


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry says at one time, checked.

    Attributes:
        releases: Approved, signed by their authors, and logged; revoked ones are among them.
        refused: (release or service, word) of what does not count, each by itself.
        version: Grows with every change.
        expires_unix_s: By when something newer must be shown.
        root_version: Which generation of keys says so.
        log_size: Entries of the log, as its witnesses have cosigned it.
        checkpoint: What the log says of itself, a signed note; nodes compare it with one another.
    """

    releases: tuple[Release, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    version: int
    expires_unix_s: float
    root_version: int
    log_size: int
    checkpoint: bytes


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """What governance says of a release beside its length and hash: `custom` of its target.

    Attributes:
        number: Of the service.
        entry: Place of the release in the log.
    """

    number: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    entry: Annotated[int, Meta(ge=0, le=2**53)]
    kind: Kind = "module"
    certificate: Digest | Literal[""] = ""
    revoked: Annotated[str, Meta(max_length=MAX_WHY)] = ""


class Submission(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an author says of a release beside its length and hash: `custom` of its target there."""

    number: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    kind: Kind = "module"
    certificate: Digest | Literal[""] = ""


class Rollout(msgspec.Struct, frozen=True):
    """What the registry says of a release that is rolled out: `custom` of its target there.

    Attributes:
        share_ppm: Of the nodes that should run it, in millionths: signed text has no fractions.
    """

    share_ppm: Annotated[int, Meta(ge=0, le=MILLION)]


C = TypeVar("C", Approval, Submission, Rollout)


class _Certificate(msgspec.Struct, frozen=True):
    """What a certificate of conformance says of a package: which one it is of."""

    schema: Literal["ei.certificate/1"]
    digest: Digest


class Head(msgspec.Struct, frozen=True):
    """The fields that manifests of modules and bundles have in common."""

    id: Annotated[int, Meta(ge=1, le=2**32 - 1)]
    name: Annotated[str, Meta(pattern=f"^{NAME}$")]
    version: Annotated[str, Meta(pattern=f"^{VERSION}$", max_length=64)]


def target_path(name: str, version: str) -> str:
    """Return what a release is called in metadata."""
    return f"{name}/{version}.eim"


def parse_release_name(text: str) -> tuple[str, str]:
    """Parse `name@version`.

    Raises:
        ConfigError: It is none.
    """
    name, sign, version = text.partition("@")
    if not (sign and re.fullmatch("[a-z][a-z0-9_-]*", name) and re.fullmatch(r"[\w.+-]+", version)):
        raise ConfigError(f"{text!r} is not a release as name@version, such as hello@0.1.0")
    return name, version


def release_of(package: bytes, files: Mapping[str, bytes], *, certificate: bytes = b"") -> Release:
    """Return the release that a package is.

    Args:
        files: What `unpack` returns of it.

    Raises:
        IntegrityError: Its manifest is none, or the certificate is of another package; `word` is
            `package`.
    """
    kind = kind_of(files)
    try:
        head = msgspec.toml.decode(
            files[f"{'manifest' if kind == 'module' else kind}.toml"], type=Head
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise IntegrityError(f"its {kind} has no manifest: {error}", word="package") from error
    digest = digest_of(package)
    if certificate:
        _check_certificate(certificate, digest)
    return Release(
        name=head.name,
        version=head.version,
        number=head.id,
        digest=digest,
        size_bytes=len(package),
        kind="bundle" if kind == "bundle" else "module",
        certificate=digest_of(certificate) if certificate else "",
    )


def _check_certificate(certificate: bytes, digest: str) -> None:
    try:
        said = msgspec.json.decode(certificate, type=_Certificate)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IntegrityError(f"not a certificate: {error}", word="package") from error
    if said.digest != digest:
        raise IntegrityError(
            f"the certificate is of {said.digest}, and the package {digest}",
            word="package",
            remedy="Certify the folder as it is now: ei module conform",
        )


def entry_of(release: Release) -> bytes:
    """Return the entry of a release in the log: one line of JSON."""
    fields = ("digest", "kind", "name", "number", "version")
    return json.dumps(
        {field: getattr(release, field) for field in fields}, separators=(",", ":")
    ).encode()


def parse_custom(custom: object, kind: type[C]) -> C:
    """Return what is said beside a target's length and hash.

    Raises:
        IntegrityError: It is not that; `word` is `malformed`.
    """
    try:
        return msgspec.convert(custom, kind)
    except msgspec.ValidationError as error:
        raise IntegrityError(f"a target says {error}", word="malformed") from error

"""The sites of `[sites]`: certificates with which the TLS of streams ends at this node."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ei.daemons.config_file import toml_string
from ei.errors import ConfigError
from ei.node.site_config import SiteConfig
from ei.node.status import NodeStatus
from ei.records.expiry import Expiring, warning_days

MAX_PEM_BYTES = 256 * 1024
NOT_OF_KEYS = 0o037
"""Bits that the mode of a key's file must not have; a group may read it, as Debian's ssl-cert."""


@dataclass(frozen=True, slots=True)
class Site:
    """One site, as it was read and checked; `certificates` and `key` are PEM."""

    name: str
    certificates: bytes
    key: bytes
    protocols: tuple[str, ...]
    expires_unix_s: int

    def __repr__(self) -> str:
        return f"Site({self.name!r})"


class SiteTaker(Protocol):
    """What is asked of an engine."""

    def set_sites(self, sites: list[tuple[str, bytes, bytes, list[str]]]) -> None: ...


class Sites:
    """The sites of a running node.

    Args:
        sites: Of its start.
        engine: Ends the TLS; `None` where no service of the node has streams.
    """

    def __init__(self, sites: tuple[Site, ...], engine: SiteTaker | None) -> None:
        self._engine = engine
        self._sites: tuple[Site, ...] = ()
        self.use(sites)

    def use(self, sites: tuple[Site, ...]) -> None:
        """End TLS with these from now on; streams that are open stay.

        Raises:
            ConfigError: one cannot be used; the old ones stay.
        """
        if self._engine is not None:
            try:
                self._engine.set_sites(
                    [(it.name, it.certificates, it.key, list(it.protocols)) for it in sites]
                )
            except ValueError as error:
                raise ConfigError(f"sites: {error}") from error
        self._sites = sites

    def add_to(self, status: NodeStatus, *, unix_s: float) -> NodeStatus:
        """Return what a node says of itself, with the certificates that end soon."""
        all_of = (
            Expiring(
                f"the certificate of {each.name}",
                each.expires_unix_s,
                "put a new one in its place, then: ei node reload",
            )
            for each in self._sites
        )
        soon = (each for each in all_of if warning_days(each, unix_s=unix_s) is not None)
        expiring = sorted((*status.expiring, *soon), key=lambda each: each.expires_unix_s)
        return msgspec.structs.replace(status, expiring=tuple(expiring))


def read_sites(folder: Path, sites: Mapping[str, SiteConfig]) -> tuple[Site, ...]:
    """Read and check the files of each site.

    Args:
        folder: At which relative paths start.

    Raises:
        ConfigError: which site, what is wrong with it, and what is allowed; nothing of its key.
    """
    return tuple(_read_site(folder, name, config) for name, config in sites.items())


def _read_site(folder: Path, name: str, config: SiteConfig) -> Site:
    where = f"sites.{toml_string(name)}"
    certificates = _read(folder / config.certificate, f"{where}.certificate")
    key = _read(folder / config.key, f"{where}.key", forbidden=NOT_OF_KEYS)
    try:
        first = x509.load_pem_x509_certificates(certificates)[0]
    except (ValueError, IndexError) as error:
        raise ConfigError(
            f"{where}.certificate: {config.certificate}: no certificate seen, PEM allowed"
        ) from error
    try:
        public_key = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"{where}.key: {config.key}: no private key seen, PEM without a password allowed"
        ) from error
    if _plain(public_key) != _plain(first.public_key()):
        raise ConfigError(f"{where}.key: {config.key} is not the key of {config.certificate}")
    expires_unix_s = int(first.not_valid_after_utc.timestamp())
    return Site(name, certificates, key, config.protocols, expires_unix_s)


def _plain(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path, where: str, *, forbidden: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & forbidden:
                raise ConfigError(
                    f"{where}: {path} has mode {mode:04o}: others may use or change this key;"
                    " allowed are 0600 and 0640",
                    remedy=f"If nobody else has read it: chmod 600 {path}",
                )
            content = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{where}: cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_PEM_BYTES:
        raise ConfigError(f"{where}: {path} is larger than the allowed {MAX_PEM_BYTES} B")
    return content

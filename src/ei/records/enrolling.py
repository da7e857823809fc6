"""A domain adds one of its own to a record file: the static directory of small domains."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ei.errors import ConfigError, ConflictError
from ei.records.issuer import Issuer
from ei.records.record_files import read_records, write_records
from ei.records.record_set import RecordSet, verify_records


@dataclass(frozen=True, slots=True)
class Roll:
    """A record file of one domain, open for additions.

    Attributes:
        issuer: Signs for the domain.
        path: Of the record file, which need not exist yet.
        unix_s: Now.
    """

    issuer: Issuer
    path: Path
    unix_s: float

    def add(self, make: Callable[[RecordSet], list[bytes]]) -> RecordSet:
        """Add what `make` returns for the records that are there; return all.

        Raises:
            ConflictError: a name or address is taken; the file is as before.
            EiError: the file cannot be read.
        """
        envelopes = read_records(self.path) if self.path.exists() else [self.issuer.domain()]
        before = self._verify(envelopes)
        if self.issuer.name not in before.domains:
            envelopes.append(self.issuer.domain())
        new = make(before)
        after = self._verify([*envelopes, *new])
        if len(after.refused) > len(before.refused):
            refusal = after.refused[-1]
            raise ConflictError(f"{self.path}: {refusal.record}: {refusal.reason}")
        write_records(self.path, [*envelopes, *new])
        return after

    def _verify(self, envelopes: list[bytes]) -> RecordSet:
        return verify_records(
            envelopes,
            trust={self.issuer.name: self.issuer.keys.identity_key},
            unix_s=self.unix_s,
            attachment_limit_s=self.issuer.expires_unix_s,
        )


def full_name(name: str, domain: str) -> str:
    """Return `<name>.<domain>` for a short name, and a full one as it is.

    Raises:
        ConfigError: it is of another domain.
    """
    own, _, rest = name.partition(".")
    if rest not in {"", domain}:
        raise ConfigError(f"the name {name!r} is not of domain {domain!r}")
    return f"{own}.{domain}"

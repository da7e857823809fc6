"""Reads the records that a configuration names, and remembers the lists that were seen.

A list that counts once must count for ever, or an older copy of the file would bring back a domain
or a key that is gone. What a node has seen it keeps with its state, in a record file of its own.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ei.daemons.governance_file import load_governance
from ei.records.record_files import read_records, write_records
from ei.records.record_set import RecordSet, verify_records
from ei.records.trust import Trust, trusted_keys


class Believer(Protocol):
    """What a configuration says about whom it believes."""

    @property
    def records_file(self) -> str: ...
    @property
    def governance(self) -> str: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def attachment_limit_s(self) -> int: ...


def load_records(
    folder: Path, config: Believer, *, unix_s: float, known: Iterable[bytes] = ()
) -> RecordSet:
    """Read and verify the record file that a configuration names.

    Args:
        folder: Of the configuration file.
        known: The lists that were seen before.

    Raises:
        EiError: a file cannot be read. Records that do not verify are in `refused`.
    """
    governance = load_governance(folder / config.governance) if config.governance else None
    return verify_records(
        read_records(folder / config.records_file),
        trust=trusted_keys(config.trust),
        unix_s=unix_s,
        attachment_limit_s=config.attachment_limit_s,
        governance=governance,
        known=known,
    )


def read_seen(path: Path) -> list[bytes]:
    """Return the lists that `keep_seen` kept; none when there is no such file.

    Raises:
        EiError: it cannot be read.
    """
    return read_records(path) if path.exists() else []


def keep_seen(path: Path, records: RecordSet) -> None:
    """Keep the lists of a set for the next start.

    Raises:
        OSError: the system refused.
    """
    if list(records.lists) != read_seen(path):
        write_records(path, records.lists)

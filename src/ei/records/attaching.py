"""A host states in a record file where it is attached: for networks whose records are files."""

from pathlib import Path

from ei.errors import IntegrityError
from ei.records.envelope import open_record, seal_record
from ei.records.keys import Keys
from ei.records.kinds import AttachmentRecord
from ei.records.lists import is_list
from ei.records.record_files import locked, read_records, write_records
from ei.sdk.packets import Address

MICROSECONDS = 1_000_000


def write_attachment(  # noqa: PLR0913 all that an attachment is made of
    path: Path,
    keys: Keys,
    *,
    host: Address,
    nodes: tuple[Address, ...],
    unix_s: float,
    life_s: int,
    guards: tuple[int, ...] | None = None,
) -> AttachmentRecord:
    """Put an attachment into a record file, in the place of older ones of the host; return it.

    Args:
        path: Of the record file.
        keys: Of the host.
        nodes: 1 to 8, the preferred first.
        life_s: From now on.
        guards: Numbers of the services that nodes are to run before the pipe to the host.

    Raises:
        EiError: the file cannot be read.
    """
    with locked(path):
        envelopes = read_records(path)
        old = {envelope: found for envelope in envelopes if (found := _attachment_in(envelope))}
        own = {envelope: found for envelope, found in old.items() if found.host == host}
        last = max((found.sequence for found in own.values()), default=0)
        sequence = max(last + 1, int(unix_s * MICROSECONDS))
        record = AttachmentRecord(host, nodes, sequence, int(unix_s) + life_s, guards)
        kept = [envelope for envelope in envelopes if envelope not in own]
        write_records(path, [*kept, seal_record(record, keys)])
    return record


def _attachment_in(envelope: bytes) -> AttachmentRecord | None:
    if is_list(envelope):
        return None
    try:
        record, _ = open_record(envelope)
    except IntegrityError:
        return None
    return record if isinstance(record, AttachmentRecord) else None

"""What the record file says already: of the own domain's hosts and groups, and of all nodes."""

from ei.directory.messages import Addressed, Named, Query
from ei.directory.statements import Statement
from ei.records.addresses import domain_number_of, make_address
from ei.records.kinds import GroupRecord
from ei.records.record_set import RecordSet
from ei.sdk.packets import NOWHERE, Address


def filed(query: Query, records: RecordSet, *, now_s: float, unix_s: float) -> Statement | None:
    """Return what the file answers; `None` when it is silent, as it is on who is attached where.

    A node comes without an envelope: whoever may need its record has it.
    """
    # Each host waits for this: `match` costs six times as much.
    if isinstance(query, Named):
        subject = records.names.get(query.name, NOWHERE)
    elif isinstance(query, Addressed):
        subject = Address(query.address)
    else:
        return None
    record = (
        records.enrolments.get(subject) or records.groups.get(subject) or records.nodes.get(subject)
    )
    if record is None or record.expires_unix_s <= unix_s:
        return None
    own = records.envelopes.get(subject)
    envelopes = () if own is None else (own,)
    if type(record) is GroupRecord:
        owner = make_address(domain_number_of(subject), record.owner_key)
        if owner in records.envelopes:
            envelopes = (records.envelopes[owner], *envelopes)
    return Statement(record, envelopes, (), now_s + record.expires_unix_s - unix_s)

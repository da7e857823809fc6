"""What is said of a message when its time is over, pure: from what nodes have stated."""

from typing import Literal

import msgspec

from ei.attachment.statements import Statement
from ei.host.inquiries import Account
from ei.records.addresses import ADDRESS_BYTES, domain_number_of
from ei.records.record_set import RecordSet

Outcome = Literal["accepted", "delivered", "durable", "dropped", "unknown"]


class Receipt(msgspec.Struct, frozen=True):
    """What is known of a message by its deadline.

    Attributes:
        outcome: `delivered`: somebody at the destination took it. `durable`: and keeps it for
            good. `dropped`: it ended, for `reason`. `accepted`: a node took it, which is all that
            can be known of it (calls of services). `unknown`: none of these.
        reason: A word for what was dropped, as the metrics of packets have it; for what is
            unknown, a sentence.
        by: Name of who says so: the destination, a node, or this host.
        is_signed: They have proved that they say so: a node by its signature, the destination by
            the end-to-end seal.
    """

    outcome: Outcome
    reason: str = ""
    by: str = ""
    is_signed: bool = False


def judge(account: Account, records: RecordSet) -> Receipt:
    """Return what is known of a packet of which no host will say that it came."""
    said = account.last
    if said is not None and said.fate in ("forwarded", "waiting", "answered"):
        return Receipt("accepted", said.reason, records.name_of(said.node), is_signed=True)
    return judge_message(account, records)


def judge_message(account: Account, records: RecordSet) -> Receipt:
    """Return what is known of a message that its destination has not confirmed."""
    said = account.last
    if said is None:
        name = records.name_of(account.node)
        return Receipt("unknown", f"{name} was handed it, and no answer about it came", name)
    name = records.name_of(said.node)
    if said.fate == "dropped":
        return Receipt("dropped", said.reason, name, is_signed=True)
    return Receipt("unknown", _sentence(said, account, records), name, is_signed=True)


def is_whole(account: Account, records: RecordSet) -> bool:
    """Return whether no node is left that could say more of a packet."""
    said = account.last
    if said is None or said.fate == "withheld":
        return False
    return said.fate != "forwarded" or _is_host(said.to, records)


def place_of(to: bytes, records: RecordSet) -> str:
    """Return the name of what a statement says that a packet went to: a peer, or a domain."""
    if len(to) == ADDRESS_BYTES:
        return records.name_of(to)
    number = domain_number_of(to)
    names = (each.name for each in records.domains.values() if each.number == number)
    return next(names, f"domain {number}")


def _sentence(said: Statement, account: Account, records: RecordSet) -> str:
    name = records.name_of(said.node)
    match said.fate:
        case "forwarded" if _is_host(said.to, records):
            to = records.name_of(said.to)
            sentence = f"{name} handed it to {to}, who has not confirmed it"
        case "forwarded":
            to = place_of(said.to, records)
            sentence = f"{name} handed it on to {to}, where nothing is said of it"
        case "waiting":
            sentence = f"it waits at {name} ({said.reason})"
        case "unseen":
            before = [records.name_of(each.node) for each in account.statements[-2:-1]]
            where = f" after {before[0]}" if before else ""
            sentence = f"{name} knows nothing of it: lost{where}, under way, or forgotten"
        case "withheld":
            sentence = f"{name} does not say what became of it"
        case "refused":
            sentence = f"its service gives no receipts, says {name}"
        case "answered" | "dropped":
            sentence = f"it ended at {name}"
    return sentence


def _is_host(to: bytes, records: RecordSet) -> bool:
    return len(to) == ADDRESS_BYTES and to not in records.nodes

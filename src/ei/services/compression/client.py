"""Compression on a host: a dictionary for what it sends, signed and offered to its node.

trained = train(samples, number=NUMBERS + 1)
await offer(host, sign(keys, Dictionary(host.address, 16, 1, trained)))
"""

import msgspec

from ei.errors import DeniedError
from ei.host.client import Host
from ei.host.deadlines import DEFAULT_S, within
from ei.records.keys import Keys
from ei.services.compression.messages import Dictionary, Offer, Taken, said

COMPRESSION = 37


def sign(keys: Keys, dictionary: Dictionary) -> Offer:
    """Return the offer of a dictionary, signed by the identity that its tenant's address names."""
    statement = msgspec.msgpack.encode(dictionary)
    return Offer(statement, keys.identity_key, keys.sign(said(statement)))


async def offer(host: Host, signed: Offer, *, deadline_s: float = DEFAULT_S) -> None:
    """Let the host's node use a dictionary, and the next node learn it.

    Returns once the node has it on disk; it is used as soon as the next node has it, too.

    Raises:
        DeniedError: The node does not take it, and says why.
        DeadlineError: It has not answered in time, as when it does not run the service.
    """
    offered = msgspec.msgpack.decode(signed.statement, type=Dictionary)
    with host.controls(COMPRESSION) as channel:
        channel.send(msgspec.msgpack.encode(signed))
        async with within(deadline_s, "word of the node that it has the dictionary"):
            while True:
                answer = _read((await channel.receive(deadline_s=deadline_s)).message)
                if answer is None or not _is_about(answer, offered):
                    continue
                if answer.reason:
                    raise DeniedError(
                        f"the node does not take version {offered.version} of the dictionary for"
                        f" service {offered.service}: {answer.reason}"
                    )
                return


def _read(message: bytes) -> Taken | None:
    try:
        return msgspec.msgpack.decode(message, type=Taken)
    except msgspec.MsgspecError:
        return None


def _is_about(answer: Taken, offered: Dictionary) -> bool:
    of_answer = (answer.tenant, answer.service, answer.version)
    return of_answer == (offered.tenant, offered.service, offered.version)

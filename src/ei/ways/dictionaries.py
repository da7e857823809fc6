"""Dictionaries of a host, in its daemon: the admin verb that `ei dictionary offer` asks.

offer_dictionary    service, trained (base64), deadline_s       ei.dictionary/1

The host signs it, as what it is the tenant of, and gives it to its node.
"""

from collections.abc import AsyncIterator, Mapping

import msgspec

from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import arguments_of, to_answer
from ei.errors import LocalError
from ei.host.admin import Verb
from ei.host.client import Host
from ei.services.compression.client import offer, sign
from ei.services.compression.messages import NUMBERS, Dictionary


class OfferDictionary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `offer_dictionary`."""

    service: int
    trained: bytes
    deadline_s: float = 10.0


class Offered(msgspec.Struct, frozen=True):
    """A dictionary that the host's node has.

    Attributes:
        size_bytes: Its length.
    """

    service: int
    version: int
    size_bytes: int


def dictionary_verbs(host: Host) -> Mapping[str, Verb]:
    """Return the verbs about the dictionaries of a host."""

    async def offer_dictionary(request: Request) -> AsyncIterator[Answer]:
        wanted = arguments_of(request, OfferDictionary)
        version = version_of(wanted.trained)
        dictionary = Dictionary(host.address, wanted.service, version, wanted.trained)
        await offer(host, sign(host.keys, dictionary), deadline_s=wanted.deadline_s)
        size_bytes = len(wanted.trained)
        yield to_answer(Offered(wanted.service, version, size_bytes), schema="ei.dictionary/1")

    return {"offer_dictionary": offer_dictionary}


def version_of(trained: bytes) -> int:
    """Return the version that a dictionary has by its number.

    Raises:
        LocalError: It is none, or its number is not one of ours.
    """
    version = int.from_bytes(trained[4:8], "little") - NUMBERS
    if version < 1 or not Dictionary(bytes(16), 2, version, trained).is_one:
        raise LocalError(
            f"{len(trained):,} B that are no dictionary with a number above {NUMBERS:#x}",
            remedy="Make one: ei dictionary train --version 1 --out FILE SAMPLES",
        )
    return version

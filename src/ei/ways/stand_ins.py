"""Addresses that stand for legacy names inside of `ei run`, so that the node resolves them; pure.

    www.example.com. A       198.19.0.2      the first that is asked for; a connection to it goes on
                                             as one to www.example.com
    www.example.com. AAAA    no records
    2.0.19.198.in-addr.arpa. PTR www.example.com.

They mean something in that one namespace alone: 198.18.0.0/15 is for tests of networks (RFC 2544),
so none of them is a place that somebody might want to reach.
"""

import re
from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from ei.ways.dns_messages import Question, Said

NETWORK = IPv4Network("198.19.0.0/16")
OWN = NETWORK[1]
"""The address of the program itself."""
TTL_S = 60
HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+"
)
LOCAL = {RdataType.A: "127.0.0.1", RdataType.AAAA: "::1"}
OF_ADDRESSES = {RdataType.AAAA, RdataType.HTTPS, RdataType.SVCB}
"""Would lead around the stand-in."""
REVERSE = ".19.198.in-addr.arpa"


class StandIns:
    """Names, each with an address; beyond the limit the one that was not used for longest goes."""

    def __init__(self, limit: int = NETWORK.num_addresses - 3) -> None:
        self._limit = limit
        self._addresses = OrderedDict[str, IPv4Address]()
        self._names: dict[IPv4Address, str] = {}

    def __repr__(self) -> str:
        return f"<StandIns {len(self._names)} of {self._limit}>"

    def address_of(self, name: str) -> IPv4Address:
        """Return the address that stands for a name from now on."""
        address = self._addresses.get(name)
        if address is None:
            if len(self._names) < self._limit:
                address = OWN + 1 + len(self._names)
            else:
                _, address = self._addresses.popitem(last=False)
            self._addresses[name] = address
            self._names[address] = name
        self._addresses.move_to_end(name)
        return address

    def name_of(self, address: str) -> str | None:
        """Return the name that an address stands for; `None` for any other."""
        name = self._names.get(IPv4Address(address)) if ":" not in address else None
        if name is not None:
            self._addresses.move_to_end(name)
        return name

    def invent(self, question: Question) -> Said | None:
        """Say what the DNS says inside; `None` asks a server outside."""
        name, kind = question.name, question.kind
        if not question.is_internet:
            return None
        if name == "localhost" or name.endswith(".localhost"):
            local = LOCAL.get(RdataType.make(kind))
            records = () if local is None else ((RdataType.make(kind), local),)
            return Said(records=records, ttl_s=TTL_S, is_own=False)
        if name.endswith(REVERSE):
            return self._say_name(name)
        if kind == RdataType.A:
            if HOST.fullmatch(name) is None:
                return Said(Rcode.NXDOMAIN, is_own=False)
            record = (RdataType.A, str(self.address_of(name)))
            return Said(
                records=(record,), ttl_s=TTL_S, is_own=False,
                code=EDECode.SYNTHESIZED, text="it stands for the name: the node resolves that",
            )  # fmt: skip
        return Said(is_own=False) if kind in OF_ADDRESSES else None

    def _say_name(self, reverse: str) -> Said:
        last = reverse.removesuffix(REVERSE).split(".")
        try:
            name = self.name_of(".".join(["198", "19", *reversed(last)]))
        except ValueError:
            name = None
        if name is None:
            return Said(Rcode.NXDOMAIN, is_own=False)
        return Said(records=((RdataType.PTR, f"{name}."),), ttl_s=TTL_S, is_own=False)

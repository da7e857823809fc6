"""Where servers and programs of the legacy Internet are: beside a lab's nodes, or in namespaces."""

import socket
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

from ei.lab.namespaces import inside
from ei.lab.process_lab import ProcessLab

WEB = "web.isp-b"


@dataclass(frozen=True, slots=True)
class Ground:
    """One lab as programs of the legacy Internet see it.

    Attributes:
        web: Address of the server.
        namespaces: Of nodes and hosts by name; empty where they have none.
    """

    web: str
    namespaces: Mapping[str, str]

    @classmethod
    async def of(cls, lab: ProcessLab) -> Self:
        """Look where things are."""
        namespaces = await lab.namespaces()
        address, _, _ = lab.host(WEB).status().endpoint.rpartition(":")
        return cls(address if namespaces else "127.0.0.1", namespaces)

    def socket_of(self, name: str) -> socket.socket:
        """Return a TCP socket in the namespace of a host.

        Its protocol is named: else asyncio lets it wait for more to send (Nagle).
        """
        with inside(self.namespaces[name]) if self.namespaces else nullcontext():
            made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.settimeout(0)
        return made

    def listener(self) -> socket.socket:
        """Return a socket that is bound where the server is, to a port that is free.

        It is controlled by CUBIC, as on most servers, whatever this machine is set to.
        """
        made = self.socket_of(WEB)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        made.bind((self.web, 0))
        return made

    def unused_port(self) -> int:
        """Return a port on which nobody listens."""
        with self.listener() as taken:
            port: int = taken.getsockname()[1]
            return port

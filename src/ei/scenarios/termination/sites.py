"""TLS that ends at the first node, and an origin to which connections are open already.

    curl ── ei proxy ══ sn1.isp-a ══════════ sn1.isp-b ── nginx
         └───── TLS ────┘ in the clear, sealed between nodes

Beside it, in the same run: curl and nginx by TLS over the same links without us, and by way of the
nodes with TLS from end to end.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ei.daemons.log import Level, Log
from ei.errors import EiError
from ei.host.client import Host
from ei.lab.borrowed import find_program
from ei.lab.certificates import Certificate, make_certificate
from ei.lab.foreign import environ_of
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.termination.foreign import (
    ALICE,
    LOOPBACK,
    PACKAGES,
    REQUESTS,
    Programs,
    doorway,
)
from ei.scenarios.termination.ground import Ground
from ei.scenarios.termination.nginx import Nginx, serving_by_nginx
from ei.sdk import Address
from ei.services.termination.client import open_legacy
from ei.ways.dialing import HostDialler
from ei.ways.proxy import Proxy, proxy_of

FIRST, SECOND, EXIT = "sn1.isp-a", "sn2.isp-a", "sn1.isp-b"
DOMAIN = "example.org"
WWW, H2 = f"www.{DOMAIN}", f"h2.{DOMAIN}"
HTTPS = 443
ASKS = 100
OTHER_ASKS = 20
AHEAD = 8
FIRST_BYTE_LIMIT_MS = 115.0
BY_CURL_LIMIT_MS = 150.0
END_TO_END_LIMIT_MS = 400.0
NEAR_LIMIT_MS = 1_000.0
FRESH_S = 20.0
FIRST_BYTE = "first byte of TLS that ends at the node, by ei proxy, median of 100"
BY_CURL = "the same by curl, with what its own start takes"
END_TO_END = "first byte of TLS from end to end, by curl and ei proxy"
LOADED = "requests of h2load by TLS that ends at the node, which nginx answers"


async def at_sites(lab: ProcessLab, alice: Host, ground: Ground) -> AsyncIterator[Promise]:
    """Give the nodes two sites; ask them."""
    absent = [each for each in PACKAGES if find_program(each) is None]
    if absent:
        missing = f"; apt-get install {' '.join(PACKAGES[each] for each in absent)}"
        yield unsupported(FIRST_BYTE + missing, "<=", limit=FIRST_BYTE_LIMIT_MS, unit="ms")
        yield unsupported(LOADED + missing, "==", limit=REQUESTS)
        return
    programs = Programs(environ_of(lab), ground)
    made = {name: make_certificate(name) for name in (WWW, H2)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ei-sites-")))
        certificate, _ = made[WWW].write(folder)
        async with serving_by_nginx(ground, environ=programs.environ, tls=made[WWW]) as nginx:
            await given(lab, alice, ground, nginx, made)
            clients = Clients(lab.now_s, programs, alice, nginx, certificate)
            async for each in clients.first_bytes():
                yield each
            yield await clients.load()


@dataclass(frozen=True, slots=True)
class Clients:
    """Who asks.

    Attributes:
        now_s: Reads the clock.
        certificate: File of the one that they believe.
    """

    now_s: Callable[[], float]
    programs: Programs
    alice: Host
    nginx: Nginx
    certificate: Path

    async def first_bytes(self) -> AsyncIterator[Promise]:
        """Ask again and again by each way, each time by a connection of its own."""
        ground = self.programs.ground
        page = f"https://{WWW}/little"
        believing = ("--cacert", str(self.certificate))
        web = ("--connect-to", f"::{ground.web}:{self.nginx.tls_port}")
        log = Log(level=Level.ERROR)
        async with proxy_of(Proxy(HostDialler(self.alice), listen=f"{LOOPBACK}:0", log=log)) as it:
            by_proxy = ("-x", f"http://{it.endpoint}", *believing)

            async def by_curl(*options: str, at: str = "") -> float:
                first_ms = self.programs.first_byte_ms
                return rounded([await first_ms(page, *options, at=at) for _ in range(OTHER_ASKS)])

            near_ms = rounded([await self.asked(it.endpoint) for _ in range(ASKS)])
            curl_ms = await by_curl(*by_proxy)
            if not ground.namespaces:
                yield promise(f"{FIRST_BYTE}, over 127/8", near_ms, "<=", NEAR_LIMIT_MS, unit="ms")
                return
            far_ms = await by_curl(*believing, *web, "--noproxy", "*", at=ALICE)
            both_ms = await by_curl(*by_proxy, *web)
        for name, measured_ms, limit_ms in (
            (FIRST_BYTE, near_ms, FIRST_BYTE_LIMIT_MS),
            (BY_CURL, curl_ms, BY_CURL_LIMIT_MS),
            (END_TO_END, both_ms, END_TO_END_LIMIT_MS),
        ):
            yield promise(name, measured_ms, "<=", limit_ms, unit="ms", baseline=far_ms)

    async def asked(self, proxy: str) -> float:
        """Ask by Python's TLS, in this process; return when the first byte came, in ms."""
        host, _, port = proxy.rpartition(":")
        context = ssl.create_default_context(cafile=str(self.certificate))
        began_s = self.now_s()
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"CONNECT {WWW}:{HTTPS} HTTP/1.1\r\nHost: {WWW}:{HTTPS}\r\n\r\n".encode())
        _ = await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(context, server_hostname=WWW)
        writer.write(f"GET /little HTTP/1.1\r\nHost: {WWW}\r\n\r\n".encode())
        _ = await reader.readexactly(1)
        taken_s = self.now_s() - began_s
        writer.transport.abort()
        return taken_s * 1_000

    async def load(self) -> Promise:
        """Ask by HTTP/2 inside of TLS many times."""
        async with doorway(self.alice, H2, HTTPS) as port:
            answered = await self.programs.load(port, scheme="https")
        return promise(LOADED, answered, "==", REQUESTS)


def rounded(taken_ms: list[float]) -> float:
    """Return the median as it is shown."""
    return round(median(taken_ms), 1)


async def given(
    lab: ProcessLab,
    alice: Host,
    ground: Ground,
    nginx: Nginx,
    certificates: dict[str, Certificate],
) -> None:
    """Give alice's nodes the sites, the exit connections that are ready; start each again.

    The second node goes last, so that alice is at the first.
    """
    exit_node = alice.find(EXIT)
    origins = {
        WWW: (f"{ground.web}:{nginx.port}", "http/1.1"),
        H2: (f"{ground.web}:{nginx.http2_port}", "h2"),
    }

    async def is_back() -> bool:
        try:
            stream = await open_legacy(alice, ground.web, nginx.port, exit=exit_node)
        except EiError:
            return False
        stream.abort()
        return True

    for node in (EXIT, FIRST, SECOND):
        text = exit_toml(origins)
        if node != EXIT:
            text = first_toml(origins, exit_node)
            for certificate in certificates.values():
                _ = certificate.write(lab.folder(node))
        file = lab.folder(node) / "node.toml"
        _ = file.write_text(file.read_text() + text)
        await lab.kill(node)
        await lab.start(node)
        back_s = await until(lab, is_back, limit_s=FRESH_S)
        assert back_s is not None, f"{node}, which starts again, is reached again"  # noqa: S101


def first_toml(origins: dict[str, tuple[str, str]], exit_node: Address) -> str:
    """Return what the first node is told."""
    sites = [
        f'"{name}" = {{ certificate = "{name}.pem", key = "{name}.key", protocols = ["{inside}"] }}'
        for name, (_, inside) in origins.items()
    ]
    lines = [
        *("[sites]", *sites),
        *(
            "[config.termination.sites]",
            *(f'"{name}" = "{at}"' for name, (at, _) in origins.items()),
        ),
        *("[config.termination.exits]", f'"{DOMAIN}" = "{IPv6Address(exit_node)}"'),
    ]
    return "\n" + "\n".join(lines) + "\n"


def exit_toml(origins: dict[str, tuple[str, str]]) -> str:
    """Return what the node next to the origins is told."""
    lines = ["[config.termination.ahead]", *(f'"{at}" = {AHEAD}' for at, _ in origins.values())]
    return "\n" + "\n".join(lines) + "\n"

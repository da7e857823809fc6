"""Where the scenario happens: a lab whose targets ask BIND, and stubs in the place of hosts."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ei.lab.foreign import environ_of
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.scenarios.odns.bind import Resolver, resolving

PROXY, NEAR, FAR, SISTER = "sn1.isp-a", "sn1.near", "sn1.far", "sn1.sister"
QUINCE, AMBER = "quince-7hx2v9kd4", "amber"
"""Run as stubs: the first where it is looked who knows what, the second where links have delays."""

PLACEHOLDER = "127.0.0.1:9"
START_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A lab and its resolver.

    Attributes:
        resolver: BIND.
        folder: For files of the scenario.
    """

    lab: ProcessLab
    resolver: Resolver
    folder: Path
    environ: Mapping[str, str]


@asynccontextmanager
async def grounded(lab: ProcessLab) -> AsyncGenerator[Ground]:
    """Start the resolver, and the targets again, which ask it; make room for stubs."""
    for name in (QUINCE, AMBER):
        lab.host(name).close()
    folder = lab.folder(PROXY).parent
    environ = environ_of(lab)
    async with resolving(folder / "bind", environ) as resolver:
        for target in (NEAR, FAR):
            await _let_ask(lab, target, resolver.endpoint)
        _ = await until(lab, lambda: _is_joined(lab), limit_s=START_LIMIT_S)
        yield Ground(lab, resolver, folder, environ)


async def _let_ask(lab: ProcessLab, node: str, endpoint: str) -> None:
    file = lab.folder(node) / "node.toml"
    text = await asyncio.to_thread(file.read_text)
    _ = await asyncio.to_thread(file.write_text, text.replace(PLACEHOLDER, endpoint))
    await lab.kill(node)
    await lab.start(node)


async def _is_joined(lab: ProcessLab) -> bool:
    status = await lab.node_status(PROXY)
    up = {peer.name for peer in status.peers if peer.is_up}
    return {NEAR, FAR, SISTER} <= up

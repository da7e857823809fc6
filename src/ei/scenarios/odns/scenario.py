"""Oblivious DNS: dig, delv and dnsperf as they are, by two operators of whom neither knows both."""

import sys
from collections.abc import AsyncIterator

from ei.errors import DeadlineError
from ei.host.client import Host
from ei.lab.lab import Lab
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.scenarios.odns.asking import StubProcess, delv, dig, stub
from ei.scenarios.odns.bind import LONG, ZONE, missing, said
from ei.scenarios.odns.ground import (
    AMBER,
    NEAR,
    PROXY,
    QUINCE,
    SISTER,
    Ground,
    grounded,
)
from ei.scenarios.odns.knowing import hidden, sized
from ei.scenarios.odns.speed import delayed, loaded, rotated
from ei.services.odns.messages import ODNS, ask, keys_wanted, read_refusal

BACKENDS = ("processes",)
MALLORY = "mallory"
READY_LIMIT_S = 10.0
BACK_LIMIT_S = 8.0
OVER_LIMIT_S = 4.0
QUESTIONS = (
    ("www1", "A"),
    ("www1", "A", "+dnssec"),
    ("www2", "AAAA", "+dnssec"),
    ("nothing", "A", "+dnssec"),
    ("alias", "A"),
    ("www3", "A", "+tcp"),
    (LONG, "TXT"),
    (LONG, "TXT", "+tcp", "+dnssec"),
    ("www4", "A", "+noedns"),
)
VALIDATED = ("www5", "A"), ("alias", "A"), (LONG, "TXT")


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Show all of it."""
    if not isinstance(lab, ProcessLab) or lab.backend != "processes":
        yield unsupported("dig gets by two operators what it gets from BIND", "==", limit=True)
        return
    if program := missing():
        name = f"dig gets by two operators what it gets from BIND; {program} is missing"
        yield unsupported(name, "==", limit=True)
        return
    async with grounded(lab) as ground:
        async with stub(lab, QUINCE, ground.environ, target=NEAR) as asking:
            for part in (same, hidden, sized, loaded, rotated, dying):
                async for each in part(ground, asking):
                    yield each
        for further in (delayed, apart, going_over):
            async for each in further(ground):
                yield each


async def same(ground: Ground, asking: StubProcess) -> AsyncIterator[Promise]:
    """What programs get by two operators is what they get from the server itself."""
    environ, resolver = ground.environ, ground.resolver
    ready_s = await until(ground.lab, lambda: answers(ground, asking), limit_s=READY_LIMIT_S)
    yield promise("the first answer is there", ready_s, "<=", READY_LIMIT_S, unit="s")
    alike = 0
    for name, *words in QUESTIONS:
        asked = (f"{name}.{ZONE}", *words)
        by_two = await dig(asking.port, *asked, environ=environ)
        straight = await dig(resolver.port, *asked, environ=environ)
        alike += by_two == straight and "status: " in by_two
    yield promise(
        "answers that dig prints alike, by UDP and TCP", alike, "==", len(QUESTIONS), unit="answers"
    )
    valid = 0
    for name, kind in VALIDATED:
        told = await delv(asking.port, resolver, f"{name}.{ZONE}", kind, environ=environ)
        valid += "; fully validated" in told
    yield promise("answers that delv validates", valid, "==", len(VALIDATED), unit="answers")


async def dying(ground: Ground, asking: StubProcess) -> AsyncIterator[Promise]:
    """A node that dies costs answers until it is back, and nobody is asked in another way."""
    for node, what in ((NEAR, "target"), (PROXY, "proxy")):
        await ground.lab.kill(node)
        told = await dig(asking.port, f"www1.{ZONE}", "A", "+retry=0", environ=ground.environ)
        said_so = "SERVFAIL" in told and "EDE: " in told
        yield promise(f"while the {what} is dead dig is told why", said_so, "==", limit=True)
        await ground.lab.start(node)
        back_s = await until(ground.lab, lambda: answers(ground, asking), limit_s=BACK_LIMIT_S)
        yield promise(f"answers after the {what} is back", back_s, "<=", BACK_LIMIT_S, unit="s")


async def apart(ground: Ground) -> AsyncIterator[Promise]:
    """A target of the proxy's operator is refused by the host, and by the proxy if not."""
    config = ground.lab.folder(PROXY).parent / ground.lab.topology.find(AMBER) / "host.toml"
    command = ("dns", "--oblivious", "--target", SISTER, "--config", str(config))
    told = await said(sys.executable, "-m", "ei", *command, environ=ground.environ)
    name = "a target of the proxy's operator is refused by the host, which says whose it is"
    yield promise(name, "both run by acme" in told, "==", limit=True)
    mallory = ground.lab.host(MALLORY)
    words = [await why_refused(mallory, node) for node in (SISTER, PROXY)]
    name = "what the proxy says to a host that names its operator's node, or itself"
    yield promise(name, ", ".join(map(str, words)), "==", "same_operator, no_proxy")


async def why_refused(host: Host, node: str) -> str | None:
    """Return what the proxy says to a host that names `node`; `None` when it says nothing.

    Asked a second time: the proxy was started anew, and a host that was silent meanwhile learns of
    that by the packet that it loses.
    """
    with host.call(ODNS, metadata=ask(host.find(node))) as channel:
        for _ in range(2):
            try:
                return read_refusal((await channel.ask(keys_wanted())).payload)
            except DeadlineError:
                continue
    return None


async def going_over(ground: Ground) -> AsyncIterator[Promise]:
    """A stub that may choose goes over to another target when one dies."""
    async with stub(ground.lab, QUINCE, ground.environ) as asking:
        _ = await until(ground.lab, lambda: answers(ground, asking), limit_s=READY_LIMIT_S)
        await ground.lab.kill(NEAR)
        over_s = await until(ground.lab, lambda: answers(ground, asking), limit_s=OVER_LIMIT_S)
        yield promise(
            "after a target died, answers by another", over_s, "<=", OVER_LIMIT_S, unit="s"
        )
        await ground.lab.start(NEAR)


async def answers(ground: Ground, asking: StubProcess) -> bool:
    """Return whether there is an answer."""
    return "NOERROR" in await dig(asking.port, f"www1.{ZONE}", "A", environ=ground.environ)

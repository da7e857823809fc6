"""Governance: fifty nodes run what three of five have approved; a canary that fails goes back."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

from ei.errors import IntegrityError
from ei.lab.lab import Lab
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.promises import Promise, promise, unsupported
from ei.node.rollout import place_of
from ei.registry.package import digest_of, pack
from ei.registry.releases import Release
from ei.scenarios.governance.attacks import Attacks
from ei.scenarios.governance.council import NEEDED, Council
from ei.scenarios.governance.flows import flowing
from ei.scenarios.governance.followers import SERVICE, Followers

BACKENDS = ("processes",)
HERE = Path(__file__).parent
GOOD, FAILING = HERE / "good" / SERVICE, HERE / "failing" / SERVICE
CANARIES = 2
BAD_VERSION = 2
TAKEN_LIMIT_S = 60.0
BACK_LIMIT_S = 30.0
TOUCHED_LIMIT = 0.05
SAID_LIMIT_S = 30.0
CALM_S = 3.0
LOOK_S = 0.2


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Approve, attack, roll out what fails, revoke."""
    if not isinstance(lab, ProcessLab):
        yield unsupported("fifty nodes that follow a registry", "==", limit=True)
        return
    with tempfile.TemporaryDirectory(prefix="ei-council-") as folder:
        addresses = [lab.keys_of(name).address(_number(lab, name)) for name in lab.topology.nodes]
        with closing(Council(Path(folder), lab.seed, addresses)) as council:
            async for each in _govern(lab, council, Path(folder)):
                yield each


async def _govern(lab: ProcessLab, council: Council, folder: Path) -> AsyncIterator[Promise]:
    followers = Followers(lab, council.root)
    await followers.follow(council.url)
    good = council.submit(GOOD)
    old = Path(shutil.copytree(council.public, folder / "old"))
    yield promise(
        "two builds of the module have one digest", _built_again(folder), "==", good.digest
    )

    council.propose(good)
    council.sign(NEEDED - 1)
    yield promise(
        "2 of 5 signatures are refused by the registry", _refusal(council), "==", "threshold"
    )
    council.sign(NEEDED)
    council.publish(1.0)
    took_s = await followers.until_all(good.digest, limit_s=2 * TAKEN_LIMIT_S)
    yield promise("nodes in domains", len(followers.names), ">=", 50, unit="nodes")
    yield promise(
        "all run a new module after 3 of 5 signatures", took_s, "<=", TAKEN_LIMIT_S, unit="s"
    )
    async for each in _canary(lab, council, followers, good):
        yield each
    async for each in _attacked(
        council, followers, Attacks(council, folder, old, submit_evil(council, folder)), good
    ):
        yield each
    council.revoke(good, "the scenario ends")
    took_s = await followers.until_all("", limit_s=2 * TAKEN_LIMIT_S)
    yield promise("none runs what is revoked", took_s, "<=", TAKEN_LIMIT_S, unit="s")
    status = await followers.registry(followers.names[0])
    said = "" if status is None else status.services[0].trouble
    yield promise("and says why", said, "==", f"{good} is revoked: the scenario ends")


async def _canary(
    lab: ProcessLab, council: Council, followers: Followers, good: Release
) -> AsyncIterator[Promise]:
    """Roll a version out that fails at each twentieth packet."""
    bad = council.submit(FAILING)
    places = sorted(
        (place_of(lab.keys_of(name).address(_number(lab, name)), bad.digest), name)
        for name in followers.names
    )
    names = [name for _, name in places[:CANARIES]]
    share = (places[CANARIES - 1][0] + places[CANARIES][0]) / 2
    async with flowing(lab) as flows:
        await lab.sleep(CALM_S)
        council.propose(bad)
        council.sign(NEEDED)
        council.publish(share)
        began_s = lab.now_s()
        seen: dict[str, float] = {}
        back: dict[str, float] = {}

        async def are_back() -> bool:
            for name in names:
                digest = await followers.digest(name)
                if digest == bad.digest:
                    _ = seen.setdefault(name, lab.now_s())
                elif digest == good.digest and BAD_VERSION in flows[name].versions:
                    _ = back.setdefault(name, lab.now_s())
            return len(back) == len(names)

        _ = await until(lab, are_back, limit_s=2 * TAKEN_LIMIT_S, every_s=LOOK_S)
        took_s = max((back[name] - seen.get(name, began_s) for name in back), default=None)
        await lab.sleep(CALM_S)
    touched = [name for name, flow in flows.items() if BAD_VERSION in flow.versions]
    kept = council.reports.kept()
    yield promise("flows, one at each node", len(flows), ">=", 50, unit="flows")
    yield promise("answers of the canary", len(touched), ">=", 1, unit="flows")
    yield promise(
        "a canary with 5 % errors goes back by itself",
        None if len(back) < len(names) or took_s is None else round(took_s, 1),
        "<=",
        BACK_LIMIT_S,
        unit="s",
    )
    yield promise("flows that it touched", len(touched) / len(flows), "<=", TOUCHED_LIMIT)
    yield promise("signed reports that stop the roll-out", len(kept), ">=", 1)
    share_now = await _share(followers, bad)
    yield promise("share of the nodes then", share_now, "==", 0.0)
    # They count from 0 again, and remember what they have given up.
    await followers.restart(names)
    took_s = await followers.until_all(good.digest, limit_s=TAKEN_LIMIT_S, names=names)
    yield promise("it is not tried again after a restart", took_s is not None, "==", limit=True)


async def _attacked(
    council: Council, followers: Followers, attacks: Attacks, good: Release
) -> AsyncIterator[Promise]:
    """Show a forged registry to one node for each attack, all at once."""
    victims = dict(zip(attacks.all(), followers.names[1::7], strict=False))
    for (word, make), victim in zip(attacks.all().items(), victims.values(), strict=True):
        url = council.serve(make())
        await followers.turn(victim, url, is_new=word == "mix_and_match")
    said = await asyncio.gather(
        *(followers.until_refused(victim, word, SAID_LIMIT_S) for word, victim in victims.items())
    )
    for word, is_said in zip(victims, said, strict=True):
        yield promise(f"refused with its reason: {word}", is_said, "==", limit=True)
    still = await followers.run(good.digest, victims.values())
    yield promise("attacked nodes that run what they ran", len(still), "==", len(victims))
    # One of them has believed what the stolen key signed, and that time does not go back.
    council.replace_online_key()
    for victim in victims.values():
        await followers.turn(victim, council.url)


def _refusal(council: Council) -> str:
    try:
        council.publish(1.0)
    except IntegrityError as error:
        return error.word
    return "published"


async def _share(followers: Followers, release: Release) -> float | None:
    status = await followers.registry(followers.names[0])
    found = () if status is None else status.services
    return next((each.share for each in found if each.digest == release.digest), None)


def _built_again(folder: Path) -> str:
    """Build the module elsewhere, with other times and modes, in another order."""
    other = folder / "elsewhere" / SERVICE
    other.mkdir(parents=True)
    for path in sorted(GOOD.iterdir(), reverse=True):
        if path.is_file():
            copy = other / path.name
            _ = copy.write_bytes(path.read_bytes())
            copy.chmod(0o600)
            os.utime(copy, (1.0, 1.0))
    return digest_of(pack(other))


def submit_evil(council: Council, folder: Path) -> Release:
    """Have a module submitted that nobody approves."""
    module = folder / "evil"
    _ = shutil.copytree(GOOD, module)
    manifest = module / "manifest.toml"
    text = manifest.read_text().replace(SERVICE, "evil").replace("4026531860", "4026531861")
    _ = manifest.write_text(text)
    return council.submit(module)


def _number(lab: ProcessLab, name: str) -> int:
    return lab.topology.domains[name.partition(".")[2]].number

"""Multicast: one copy on each pipe; who joins late, leaves or sits behind a dead worker."""

from collections.abc import AsyncIterator

from ei.lab.accounts import count_copies, counters_of
from ei.lab.groups import Member, send_stream, sender, take_all, until_heard
from ei.lab.lab import Lab
from ei.lab.promises import Promise, promise

GROUP = "news.isp-a"
FIRST = ("amir", "bob", "bea", "boris", "carol")
PACKETS = 400
RATE_PPS = 500.0
QUIET_S = 0.5
JOIN_LIMIT_S = 5.0


async def run(lab: Lab) -> AsyncIterator[Promise]:
    """Send a stream, then let members come and go."""
    members = {name: await Member.join(lab.host(name), GROUP) for name in FIRST}
    with sender(lab.host("alice"), GROUP) as channel:

        async def stream() -> int:
            return await send_stream(lab, channel, count=PACKETS, rate_pps=RATE_PPS)

        everybody = list(members.values())
        joined_s = await until_heard(lab, channel, everybody, limit_s=JOIN_LIMIT_S)
        yield promise("a group works once it is joined", joined_s, "<=", JOIN_LIMIT_S, unit="s")

        before = await counters_of(lab)
        sent = await stream()
        heard = await take_all(everybody, wait_s=QUIET_S)
        copies = count_copies(before, await counters_of(lab), packets=sent)
        complete = sum(each.distinct == sent for each in heard)
        yield promise("members that heard every packet", complete, "==", len(FIRST), unit="hosts")
        yield promise(
            "copies of a packet on a pipe",
            copies.per_pipe,
            "==",
            1.0,
            unit="copies",
            # Three members are behind one pipe: without multicast it would carry three copies.
            baseline=3.0,
            is_valid=sent == PACKETS,
        )

        await members["bea"].leave()
        await lab.sleep(QUIET_S)
        _ = await stream()
        heard_by = dict(zip(members, await take_all(everybody, wait_s=QUIET_S), strict=True))
        yield promise("who left hears nothing", heard_by["bea"].packets, "==", 0, unit="packets")
        others = sum(each.distinct == PACKETS for each in heard_by.values())
        yield promise("who stayed hears all", others, "==", len(FIRST) - 1, unit="hosts")

        await lab.kill_worker("sn1.isp-b", "multicast")
        _ = await stream()
        (bob,) = await take_all([members["bob"]], wait_s=QUIET_S)
        yield promise(
            "a stream that was decided does not need the worker",
            PACKETS - bob.distinct,
            "==",
            0,
            unit="lost packets",
        )
    for member in members.values():
        await member.close()
    homeless = sum(each.homeless for each in (await counters_of(lab)).values())
    yield promise("packets without a fate", homeless, "==", 0, unit="packets")

"""How fast changes reach who uses them, and how many at once."""

from functools import lru_cache
from random import Random

import pytest
from tests.directory.net import Net, World

from ei.directory import Attached
from ei.directory.messages import Register
from ei.records.envelope import open_record
from ei.records.kinds import AttachmentRecord
from ei.sdk.packets import Address

HOSTS = 10_000
SECONDS = 60.0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_records_changed_in_a_minute_reach_their_users_within_a_second() -> None:
    world = World(domains=3, nodes=2)
    names = [f"h{number}.isp-{'abc'[number % 3]}" for number in range(HOSTS)]
    hosts = [world.add_host(name) for name in names]
    random = Random(3)
    open_once = lru_cache(maxsize=4 * HOSTS)(open_record)  # six nodes in one process
    net = Net(world, seed=3, delay_s=(0.005, 0.05), loss=0.02, open_envelope=open_once)
    users = {host: f"sn{random.randint(1, 2)}.isp-{random.choice('abc')}" for host in hosts}
    for name in names:
        move(net, name, sequence=1)
    net.run(5.0)
    for host, user in users.items():
        net.resolve(user, Attached(host), within_s=0.0)
    net.run(5.0)
    for answers in net.answers.values():
        answers.clear()

    moved_s: dict[Address, float] = {}
    for name, host in zip(names, hosts, strict=True):
        net.run(SECONDS / HOSTS)
        net.ask(users[host], Attached(host))
        move(net, name, sequence=2)
        moved_s[host] = net.now_s
    net.run(5.0)

    took_s = sorted(
        min(told_at(net, user, host, sequence=2)) - moved_s[host] for host, user in users.items()
    )
    assert took_s[int(0.99 * HOSTS)] <= 1.0
    assert took_s[-1] <= 1.0


def move(net: Net, name: str, *, sequence: int) -> None:
    node = f"sn{sequence}.{name.partition('.')[2]}"
    envelope = net.world.attach(name, node, sequence=sequence, unix_s=net.unix_s)
    net.say(name, node, Register(envelope))


def told_at(net: Net, user: str, host: Address, *, sequence: int) -> list[float]:
    return [
        at_s
        for at_s, told in net.answers_to(user, Attached(host))
        if isinstance(told.record, AttachmentRecord) and told.record.sequence == sequence
    ]

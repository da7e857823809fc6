import msgspec

from ei.runtime.environment import Environment
from ei.runtime.statistics import EnvironmentStatistics
from ei.sdk import Address
from ei.testing.toys import toy, toy_packet


def test_what_an_environment_says_of_itself_travels() -> None:
    environment = Environment(toy(), node=Address(b"n" * 16), seed=b"1")
    _ = environment.deliver(toy_packet(), now_s=1.0)

    said = environment.statistics()

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=EnvironmentStatistics) == said
    assert (said.events, said.faults) == (2, {})

"""What a tenant's meters say: payloads of some 142 bytes, each its own, all of one kind."""

from collections.abc import Iterator
from random import Random

SAMPLES = 2_000


def reading(random: Random, *, site: str = "north") -> bytes:
    """Return one reading of one of a thousand meters."""
    unix_s = random.randrange(18 * 10**8, 19 * 10**8)
    state = random.choice(("ok", "ok", "ok", "low", "off"))
    return (
        f'{{"meter":"{site}-{random.randrange(1_000):04}","unix_s":{unix_s},"firmware":"2.14",'
        f'"temperature_c":{random.uniform(-20, 40):.1f},"humidity":{random.random():.2f},'
        f'"battery_v":{random.uniform(2.9, 3.6):.2f},"rssi_dbm":-{random.randrange(30, 99)},'
        f'"state":"{state}"}}'
    ).encode()


def readings(seed: int, count: int, *, site: str = "north") -> Iterator[bytes]:
    """Yield readings; those of one seed are unseen by whoever was trained on another."""
    random = Random(seed)
    for _ in range(count):
        yield reading(random, site=site)

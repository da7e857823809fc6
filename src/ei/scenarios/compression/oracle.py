"""Whether lengths tell one tenant of another, and what the `zstd` command makes of frames."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from ei.errors import ServiceError
from ei.scenarios.compression.readings import SAMPLES, readings
from ei.services.compression.stages import Reference, read_header, train

GUESSES = 40
RATIO = 100
BOMB_BYTES = 60_000


def secret(seed: int) -> bytes:
    """What one tenant says again and again, and another would like to know."""
    return f"token={Random(seed).randbytes(12).hex()}".encode()


def guesses(right: bytes) -> list[bytes]:
    """Payloads with guesses of the secret: the right one among others that look like it."""
    random = Random(5)
    others = [b"token=" + random.randbytes(12).hex().encode() for _ in range(GUESSES - 1)]
    return [b'{"guess":"' + guess + b'"}' for guess in (right, *others)]


def saying(right: bytes, site: str) -> list[bytes]:
    """Readings of a tenant that have its secret in them."""
    return [each[:-1] + b',"' + right + b'"}' for each in readings(11, SAMPLES, site=site)]


def learned_by_sharing(right: bytes) -> int:
    """Return how many guesses would change their length if both tenants had one dictionary."""
    before, after = Reference(), Reference()
    own = list(readings(1, SAMPLES))
    before.keep(train(own, number=1))
    after.keep(train([*own, *saying(right, "south")], number=1))
    return sum(
        len(before.compress(each, 1, RATIO) or each) != len(after.compress(each, 1, RATIO) or each)
        for each in guesses(right)
    )


def decoded_by_command(
    frames: Sequence[bytes], dictionaries: Mapping[int, bytes]
) -> list[bytes] | None:
    """Return what `zstd -d -D` makes of frames; `None` where there is no such command."""
    command = shutil.which("zstd")
    if command is None:
        return None
    decoded: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="ei-") as folder:
        for number, trained in dictionaries.items():
            _ = Path(folder, str(number)).write_bytes(trained)
        for frame in frames:
            header = read_header(frame)
            by = Path(folder, str(header and header.dictionary))
            zstd = subprocess.run(
                [command, "-q", "-d", "-c", "-D", by], input=frame, capture_output=True, check=False
            )
            decoded.append(zstd.stdout if zstd.returncode == 0 else b"")
    return decoded


def bomb(trained: bytes, number: int) -> bytes:
    """Return a frame that grows more than a thousand times."""
    forger = Reference()
    forger.keep(trained)
    frame = forger.compress(bytes(BOMB_BYTES), number, BOMB_BYTES)
    if frame is None or len(frame) * 1_000 > BOMB_BYTES:
        raise ServiceError("zeros make no bomb")
    return frame

"""A log's tree in files of 256 hashes, and its entries in files of 256: c2sp.org/tlog-tiles. Pure.

Files are named below the log's place and never change; one that is not full has its width in its
name.
"""

from collections.abc import Callable, Iterator, Sequence

from ei.errors import IntegrityError
from ei.registry.tree import HASH_BYTES, leaf_hash, root_of

WIDTH = 256
HEIGHT = 8
THOUSAND = 1000
MAX_ENTRY_BYTES = 2**16 - 1
MAX_BUNDLE_BYTES = WIDTH * (MAX_ENTRY_BYTES + 2)

ReadFile = Callable[[str, int], bytes]
"""Returns a file below the log's place: its name, and how many bytes it has at most."""


class TileReader:
    """Reads nodes of the tree of the first `size` leaves from tiles; each tile is read once.

    What it returns is as good as who serves it: proofs made of it must verify.
    """

    def __init__(self, size: int, read_file: ReadFile) -> None:
        self._size = size
        self._read_file = read_file
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Return a node; see `ei.registry.tree`.

        Raises:
            IntegrityError: A tile has another length than it must.
        """
        high, low = divmod(level, HEIGHT)
        tile, first = divmod(index << low, WIDTH)
        hashes = self._tile(high, tile)[first : first + (1 << low)]
        return root_of(hashes)

    def _tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._tiles:
            width = min(WIDTH, (self._size >> (HEIGHT * level)) - index * WIDTH)
            content = self._read_file(tile_path(level, index, width), width * HASH_BYTES)
            if len(content) != width * HASH_BYTES:
                raise IntegrityError(
                    f"a tile of the log has {len(content)} B, not {width * HASH_BYTES}",
                    word="malformed",
                )
            self._tiles[level, index] = list(_hashes(content))
        return self._tiles[level, index]


def tile_path(level: int | str, index: int, width: int) -> str:
    """Return where a tile is; the level `entries` has bundles of entries."""
    parts = [f"{index % THOUSAND:03}"]
    while index >= THOUSAND:
        index //= THOUSAND
        parts.insert(0, f"x{index % THOUSAND:03}")
    suffix = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{'/'.join(parts)}{suffix}"


def grown(size: int, entries: Sequence[bytes], read_file: ReadFile) -> dict[str, bytes]:
    """Return the files that come to a log of `size` entries when more are appended.

    Args:
        entries: 1 to 65,535 B each.
        read_file: Reads files that are there already.
    """
    files = dict(_bundles(size, entries, read_file))
    level, start, hashes = 0, size, [leaf_hash(entry) for entry in entries]
    while hashes:
        index, have = divmod(start, WIDTH)
        before = read_file(tile_path(level, index, have), have * HASH_BYTES) if have else b""
        row = [*_hashes(before), *hashes]
        above: list[bytes] = []
        for each in range(0, len(row), WIDTH):
            tile = row[each : each + WIDTH]
            files[tile_path(level, index + each // WIDTH, len(tile))] = b"".join(tile)
            if len(tile) == WIDTH:
                above.append(root_of(tile))
        level, start, hashes = level + 1, index, above
    return files


def read_entries(size: int, read_file: ReadFile, *, first: int = 0) -> Iterator[bytes]:
    """Yield the entries of a log from `first` on; compare them with the tree before they count.

    Raises:
        IntegrityError: A bundle is cut short.
    """
    for index in range(first // WIDTH, -(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        bundle = _split_bundle(read_file(tile_path("entries", index, width), MAX_BUNDLE_BYTES))
        if len(bundle) != width:
            raise IntegrityError(
                f"a bundle of the log has {len(bundle)} entries, not {width}", word="malformed"
            )
        yield from bundle[max(0, first - index * WIDTH) :]


def _bundles(
    size: int, entries: Sequence[bytes], read_file: ReadFile
) -> Iterator[tuple[str, bytes]]:
    index, have = divmod(size, WIDTH)
    before = read_file(tile_path("entries", index, have), MAX_BUNDLE_BYTES) if have else b""
    row = [*_split_bundle(before), *entries]
    for each in range(0, len(row), WIDTH):
        bundle = row[each : each + WIDTH]
        content = b"".join(len(entry).to_bytes(2, "big") + entry for entry in bundle)
        yield tile_path("entries", index + each // WIDTH, len(bundle)), content


def _split_bundle(content: bytes) -> list[bytes]:
    entries: list[bytes] = []
    position = 0
    while position < len(content):
        start = position + 2
        position = start + int.from_bytes(content[start - 2 : start], "big")
        entries.append(content[start:position])
    if position != len(content):
        raise IntegrityError("a bundle of the log is cut short", word="malformed")
    return entries


def _hashes(content: bytes) -> Iterator[bytes]:
    for each in range(0, len(content), HASH_BYTES):
        yield content[each : each + HASH_BYTES]

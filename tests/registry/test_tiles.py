import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.errors import IntegrityError
from ei.registry.ledger import root_of_entries
from ei.registry.tiles import ReadFile, TileReader, grown, read_entries, tile_path
from ei.registry.tree import tree_root


def read_from(files: dict[str, bytes]) -> ReadFile:
    return lambda name, _limit: files[name]


def built(*steps: int) -> dict[str, bytes]:
    """Return the files of a log that grew by so many entries each time."""
    files: dict[str, bytes] = {}
    size = 0
    for step in steps:
        more = [b"%d" % number for number in range(size, size + step)]
        files |= grown(size, more, read_from(files))
        size += step
    return files


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (5, 12, "tile/0/005.p/12"),
        (1_234_067, 256, "tile/0/x001/x234/067"),
    ],
)
def test_paths_are_those_of_the_specification(index: int, width: int, path: str) -> None:
    assert tile_path(0, index, width) == path


@given(st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_the_tree_in_tiles_is_that_of_the_entries(steps: list[int]) -> None:
    files = built(*steps)
    size = sum(steps)

    def read(name: str, limit: int) -> bytes:
        assert len(files[name]) <= limit
        return files[name]

    entries = list(read_entries(size, read))
    assert entries == [b"%d" % number for number in range(size)]
    assert list(read_entries(size, read, first=size // 2)) == entries[size // 2 :]
    assert tree_root(size, TileReader(size, read)) == root_of_entries(entries)


@pytest.mark.slow
def test_a_log_of_70000_entries_has_the_tiles_that_the_specification_counts() -> None:
    files = built(70_000)

    tiles = [name for name in files if not name.startswith("tile/entries")]
    assert sum(name.startswith("tile/0/") and ".p/" not in name for name in tiles) == 273
    assert {name for name in tiles if ".p/" in name} == {
        "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1",
    }  # fmt: skip


def test_a_tile_that_is_cut_short_is_refused() -> None:
    files = {name: content[:-1] for name, content in built(3).items()}

    def read(name: str, _limit: int) -> bytes:
        return files[name]

    with pytest.raises(IntegrityError):
        _ = tree_root(3, TileReader(3, read))
    with pytest.raises(IntegrityError):
        _ = list(read_entries(3, read))

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.registry.tree import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_of,
    tree_root,
)

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Of trees of the first 0 to 8 entries, as the logs of Certificate Transparency have them."""


class Leaves:
    """Hashes of the leaves 0, 1, 2, ... and the nodes above them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        if (level, index) not in self._kept:
            self._kept[level, index] = (
                node_hash(self(level - 1, 2 * index), self(level - 1, 2 * index + 1))
                if level
                else leaf_hash(b"%d" % index)
            )
        return self._kept[level, index]


LEAVES = Leaves()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_rfc_6962(size: int) -> None:
    hashes = [leaf_hash(entry) for entry in ENTRIES[:size]]

    def read(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    assert tree_root(size, read).hex() == ROOTS[size]


@given(st.integers(1, 70), st.data())
def test_each_leaf_is_proven_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index or size == 1))
    root = tree_root(size, LEAVES)
    proof = inclusion_proof(index, size, LEAVES)

    assert is_included(LEAVES(0, index), index, size, proof, root)
    assert not is_included(leaf_hash(b"x"), index, size, proof, root)
    assert other == index or not is_included(LEAVES(0, index), other, size, proof, root)
    assert not is_included(LEAVES(0, index), index, size, [*proof, root], root)
    assert not proof or not is_included(LEAVES(0, index), index, size, proof[1:], root)
    assert not is_included(LEAVES(0, index), size, size, proof, root)


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_tree_continues_its_beginning_and_nothing_else(one: int, other: int) -> None:
    old, new = sorted((one, other))
    roots = tree_root(old, LEAVES), tree_root(new, LEAVES)
    proof = consistency_proof(old, new, LEAVES)

    assert is_consistent(old, new, proof, *roots)
    assert not is_consistent(old, new, proof, leaf_hash(b"x"), roots[1])
    assert not is_consistent(old, new, [*proof, roots[0]], *roots)
    assert old in {0, new} or not is_consistent(old, new, proof, roots[0], leaf_hash(b"x"))
    assert old in {0, new} or not is_consistent(old, new, [], *roots)
    assert old == new or not is_consistent(new, old, proof, roots[1], roots[0])


def test_nothing_has_a_root_too() -> None:
    assert tree_root(0, LEAVES) == EMPTY_ROOT

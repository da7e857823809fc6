"""Merkle trees of RFC 6962: roots, proofs of an entry, proofs that one continues another. Pure.

Nodes are asked for by level and index: `read(level, index)` is the root of the 2^level leaves from
index * 2^level on, all of which are there.
"""

import hashlib
from collections.abc import Callable, Sequence

Read = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node from those below it."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a tree from the hashes of its leaves."""

    def read(level: int, index: int) -> bytes:
        if level == 0:
            return hashes[index]
        return node_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))

    return tree_root(len(hashes), read)


def tree_root(size: int, read: Read) -> bytes:
    """Return the root of the first `size` leaves."""
    return _root(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: Read) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves."""
    return _path(index, 0, size, read)


def consistency_proof(old: int, new: int, read: Read) -> list[bytes]:
    """Return the proof that the first `new` leaves go on from the first `old`."""
    if old in {0, new}:
        return []
    return _subproof(old, 0, new, read, is_whole=True)


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether the tree has a leaf of this hash there (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for hashed in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(hashed, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, hashed)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Return whether `proof` shows that the new tree continues the old one (RFC 9162, 2.1.4.2)."""
    if old in {0, new}:
        is_same = old_root == (new_root if old else EMPTY_ROOT)
        return is_same and not proof
    if not 0 < old < new or not proof:
        return False
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = hashes[0]
    for hashed in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(hashed, before), node_hash(hashed, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, hashed)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _root(start: int, size: int, read: Read) -> bytes:
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, start >> level)
    split = _split(size)
    return node_hash(_root(start, split, read), _root(start + split, size - split, read))


def _path(index: int, start: int, size: int, read: Read) -> list[bytes]:
    if size == 1:
        return []
    split = _split(size)
    if index < split:
        return [*_path(index, start, split, read), _root(start + split, size - split, read)]
    right = _path(index - split, start + split, size - split, read)
    return [*right, _root(start, split, read)]


def _subproof(old: int, start: int, size: int, read: Read, *, is_whole: bool) -> list[bytes]:
    if old == size:
        return [] if is_whole else [_root(start, size, read)]
    split = _split(size)
    if old <= split:
        left = _subproof(old, start, split, read, is_whole=is_whole)
        return [*left, _root(start + split, size - split, read)]
    right = _subproof(old - split, start + split, size - split, read, is_whole=False)
    return [*right, _root(start, split, read)]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)

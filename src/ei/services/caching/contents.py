"""Bodies that are read or on their way: who holds them, and what they take of the bound."""

from itertools import islice

from ei.sdk import SetTimer
from ei.services.caching.shelf import HEAD_BYTES, Kept
from ei.services.caching.state import BODIES_BITS, Content, Desk

SWEEP = b"swep"

DISK_FACTOR = 3
"""The disk grants so many times the bytes of memory for bodies on their way."""


def begin(desk: Desk, flight: bytes, *, is_on_disk: bool, reserve: int) -> Content:
    """Begin a body that a flight brings."""
    body = desk.next_number("bodies").to_bytes(8, "big")
    content = Content(body, is_on_disk, holders=1, flight=flight)
    _ = reserve_more(desk, content, reserve)
    if is_on_disk:
        desk.loose.put(body, reserve)
    return desk.contents.add(body, content)


def may_begin(desk: Desk, size: int, *, is_on_disk: bool) -> bool:
    """Whether a body of so many bytes may be kept, and there is room for it on its way."""
    has_place = size <= _most_bytes(desk, is_on_disk=is_on_disk)
    return has_place and has_room(desk, size, is_on_disk=is_on_disk)


def grow(desk: Desk, content: Content, size: int) -> bool:
    """Make room for so many bytes more of a body whose length nobody knows.

    What is too large for memory goes on to the disk.

    Returns:
        Whether there was.
    """
    size_then = content.size + size
    if not content.is_on_disk and size_then > desk.config.memory_object_bytes:
        if not may_begin(desk, size_then, is_on_disk=True):
            return False
        desk.memory.bodies.move(content.body, content.size, desk.disk.bodies)
        _change_aside(desk, content, -content.reserved)
        content.is_on_disk = True
        desk.loose.put(content.body, desk.config.disk_object_bytes)
        _change_aside(desk, content, size_then)
        return True
    has_place = size_then <= _most_bytes(desk, is_on_disk=content.is_on_disk)
    return has_place and reserve_more(desk, content, size)


def has_room(desk: Desk, size: int, *, is_on_disk: bool) -> bool:
    """Whether a body of so many bytes may be on its way, beside the others."""
    return _aside(desk, is_on_disk=is_on_disk) + size <= _most_aside(desk, is_on_disk=is_on_disk)


def reserve_more(desk: Desk, content: Content, size: int) -> bool:
    """Make room for so many bytes more; return whether there was."""
    if not has_room(desk, size, is_on_disk=content.is_on_disk):
        return False
    _change_aside(desk, content, size)
    return True


def append(desk: Desk, content: Content, data: bytes) -> None:
    """Add bytes that came."""
    if data:
        content.size = desk.bodies(content).append(content.body, content.size, data)


def rewind(desk: Desk, content: Content) -> None:
    """Forget what came: its one reader has read all of it."""
    desk.bodies(content).delete(content.body, content.size)
    content.size = 0


def hold(desk: Desk, kept: Kept, *, is_on_disk: bool) -> Content:
    """Read a body that is on a shelf."""
    content = desk.contents.get(kept.body)
    if content is None:
        content = Content(kept.body, is_on_disk, kept.size, state="whole", is_kept=True)
        content = desk.contents.add(kept.body, content)
    content.holders += 1
    return content


def release(desk: Desk, content: Content) -> None:
    """One holder less; the last one leaves nothing behind."""
    content.holders -= 1
    if content.holders > 0:
        return
    if not content.is_kept:
        desk.bodies(content).delete(content.body, content.size)
        if content.is_on_disk:
            desk.loose.delete(content.body)
    _change_aside(desk, content, -content.reserved)
    desk.contents.remove(content.body)


def keep(desk: Desk, kept: Kept, content: Content) -> None:
    """Put a whole body on its shelf; what leaves for it goes to disk, or away."""
    shelf = desk.shelf(is_on_disk=content.is_on_disk)
    other = desk.memory if content.is_on_disk else desk.disk
    for gone, was_used in list(shelf.add(kept)):
        leave(desk, gone, is_on_disk=content.is_on_disk, was_used=was_used)
    replaced = other.remove(kept.name)
    if replaced is not None:
        leave(desk, replaced, is_on_disk=not content.is_on_disk, was_used=False)
    content.is_kept = True
    if content.is_on_disk:
        desk.loose.delete(content.body)
    _change_aside(desk, content, -content.reserved)
    desk.count("stored")


def leave(desk: Desk, kept: Kept, *, is_on_disk: bool, was_used: bool) -> None:
    """Do what follows when a variant left its shelf: to disk if it was used, else away."""
    content = desk.contents.get(kept.body)
    bodies = desk.shelf(is_on_disk=is_on_disk).bodies
    if content is not None:
        # Somebody reads it: it goes with its last reader.
        content.is_kept = False
        if is_on_disk:
            desk.loose.put(kept.body, kept.size)
        _change_aside(desk, content, kept.size)
    elif was_used and not is_on_disk and kept.size <= desk.config.memory_object_bytes:
        bodies.move(kept.body, kept.size, desk.disk.bodies)
        for gone, _ in list(desk.disk.add(kept)):
            leave(desk, gone, is_on_disk=True, was_used=False)
        desk.count("demoted")
        return
    else:
        bodies.delete(kept.body, kept.size)
    desk.count("evicted")


def drop(desk: Desk, kept: Kept, *, is_on_disk: bool) -> None:
    """Take a variant from its shelf: it was purged, or is in doubt."""
    _ = desk.shelf(is_on_disk=is_on_disk).remove(kept.name)
    leave(desk, kept, is_on_disk=is_on_disk, was_used=False)


def sweep(desk: Desk) -> None:
    """Take from the disk a body that was on its way when the worker ended; go on with the next."""
    for body, most_bytes in islice(desk.loose.scan(), 1):
        if int.from_bytes(body, "big") >> BODIES_BITS == desk.boot:
            return
        desk.disk.bodies.delete(body, most_bytes)
        desk.loose.delete(body)
        desk.order(SetTimer(SWEEP, after_s=0.0))


def _most_bytes(desk: Desk, *, is_on_disk: bool) -> int:
    shelf = desk.shelf(is_on_disk=is_on_disk)
    return min(desk.config.disk_object_bytes, shelf.limit_bytes // 4 - 32 * HEAD_BYTES)


def _aside(desk: Desk, *, is_on_disk: bool) -> int:
    return desk.numbers.get(_name(is_on_disk=is_on_disk)) or 0


def _most_aside(desk: Desk, *, is_on_disk: bool) -> int:
    return desk.config.aside_bytes * (DISK_FACTOR if is_on_disk else 1)


def _change_aside(desk: Desk, content: Content, by: int) -> None:
    is_on_disk = content.is_on_disk
    content.reserved += by
    desk.numbers.put(_name(is_on_disk=is_on_disk), _aside(desk, is_on_disk=is_on_disk) + by)


def _name(*, is_on_disk: bool) -> bytes:
    return b"aside on disk" if is_on_disk else b"aside"

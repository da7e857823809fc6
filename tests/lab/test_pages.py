"""What moving memory to huge pages promises."""

from pathlib import Path

from ei.lab.pages import HUGE_BYTES, gather_pages, huge_ranges

MAPS = """\
55d000000000-55d000100000 r-xp 00000000 fe:00 123                        /usr/bin/python3
55d000300000-55d000900000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000100000 rw-p 00000000 00:00 0
7f0000200000-7f0000800000 rw-p 00000000 00:00 0
7f0001000000-7f0002000000 rw-s 00000000 00:01 77                         /memfd:shared (deleted)
7f0003000000-7f0004000000 ---p 00000000 00:00 0
7ffd00000000-7ffd01000000 rw-p 00000000 00:00 0                          [stack]
"""


def test_whole_huge_pages_of_a_process_are_found() -> None:
    assert list(huge_ranges(MAPS.splitlines())) == [
        (0x55D000400000, 0x55D000800000),
        (0x7F0000200000, 0x7F0000800000),
    ]


def test_what_is_in_memory_stays_as_it_is() -> None:
    content = bytearray(b"x" * 4 * HUGE_BYTES)

    moved = gather_pages()

    assert moved % HUGE_BYTES == 0
    assert content == b"x" * 4 * HUGE_BYTES
    if moved:
        rollup = Path("/proc/self/smaps_rollup").read_text()
        (huge,) = (line for line in rollup.splitlines() if line.startswith("AnonHugePages"))
        assert int(huge.split()[1]) > 0

"""The filter is run here by a machine of a few lines, as the kernel runs it."""

import struct

import pytest

from ei.runtime.jail.filtering import (
    ALLOW,
    AUDIT_ARCHES,
    FOLDER,
    KILL,
    REFUSE,
    TIME,
    WORKER,
    IsNull,
    IsOneOf,
    Lacks,
    program,
)

X86_64 = AUDIT_ARCHES["x86_64"]
I386 = 0x40000003


def run(code: bytes, number: int, *arguments: int, machine: int = X86_64) -> int:
    """Return what a filter says of a call."""
    data = struct.pack("=iIQ6Q", number, machine, 0, *(*arguments, *(0,) * 6)[:6])
    accumulator, at = 0, 0
    while True:
        operation, yes, no, value = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += yes if accumulator == value else no
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(hex(operation))


def test_what_is_listed_is_allowed_and_nothing_else() -> None:
    code = program({"read": (), "write": ()}, "x86_64")

    assert [run(code, number) for number in (0, 1)] == [ALLOW, ALLOW]
    assert {run(code, number) for number in range(2, 600)} == {REFUSE}


def test_calls_of_another_machines_table_end_the_process() -> None:
    code = program(WORKER, "x86_64")

    assert run(code, 3, machine=I386) == KILL
    assert run(code, 0x4000_0000, 0) == REFUSE, "x32 has numbers of its own"


@pytest.mark.parametrize(
    ("condition", "arguments", "is_allowed"),
    [
        (Lacks(2, 4), (0, 0, 3), True),
        (Lacks(2, 4), (0, 0, 7), False),
        (IsOneOf(0, (5, 6)), (5,), True),
        (IsOneOf(0, (5, 6)), (6,), True),
        (IsOneOf(0, (5, 6)), (1,), False),
        (IsNull(4), (1, 2, 3, 4, 0), True),
        (IsNull(4), (1, 2, 3, 4, 1), False),
        (IsNull(4), (1, 2, 3, 4, 1 << 32), False),
    ],
)
def test_a_condition_looks_at_its_argument(
    condition: Lacks | IsOneOf | IsNull, arguments: tuple[int, ...], *, is_allowed: bool
) -> None:
    code = program({"read": (condition,)}, "x86_64")

    assert run(code, 0, *arguments) == (ALLOW if is_allowed else REFUSE)


def test_all_conditions_must_hold() -> None:
    code = program({"read": (Lacks(0, 1), IsOneOf(1, (7, 8, 9)))}, "x86_64")

    assert run(code, 0, 2, 8) == ALLOW
    assert run(code, 0, 1, 8) == REFUSE
    assert run(code, 0, 2, 6) == REFUSE


def test_a_worker_has_no_memory_that_runs_and_no_fine_clock() -> None:
    code = program(WORKER, "x86_64")

    assert run(code, 9, 0, 4_096, 3) == ALLOW
    assert run(code, 9, 0, 4_096, 7) == REFUSE
    assert run(code, 228, 6) == ALLOW
    assert run(code, 228, 1) == REFUSE


def test_who_has_fine_clocks_may_ask_the_kernel_for_them() -> None:
    code = program({**WORKER, **TIME}, "x86_64")

    # What CLOCK_REALTIME, _MONOTONIC, _RAW, _BOOTTIME and the coarse ones are; gettimeofday, time.
    assert {run(code, 228, clock) for clock in (0, 1, 4, 5, 6, 7)} == {ALLOW}
    assert run(code, 228, 2) == REFUSE, "CPU time"
    assert (run(code, 96), run(code, 201)) == (ALLOW, ALLOW)
    closed = program(WORKER, "x86_64")
    assert (run(closed, 96), run(closed, 201)) == (REFUSE, REFUSE)


def test_only_a_replica_opens_files() -> None:
    assert run(program(WORKER, "x86_64"), 257) == REFUSE
    assert run(program({**WORKER, **FOLDER}, "x86_64"), 257) == ALLOW


def test_there_is_one_for_aarch64() -> None:
    code = program(WORKER, "aarch64")

    assert run(code, 63, machine=AUDIT_ARCHES["aarch64"]) == ALLOW
    assert run(code, 220, machine=AUDIT_ARCHES["aarch64"]) == REFUSE


def test_it_is_no_longer_than_the_kernel_takes() -> None:
    assert len(program({**WORKER, **FOLDER, **TIME}, "x86_64")) // 8 <= 4_096

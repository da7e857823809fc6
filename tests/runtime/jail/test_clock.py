import pytest
from tests.runtime.jail.conftest import alone, need

from ei.runtime.jail.clock import BootClock


def test_a_boot_clock_goes_on() -> None:
    clock = BootClock()

    assert 0 < clock() <= clock()


@pytest.mark.slow
def test_c8_clocks_stay_right_and_step_by_ticks() -> None:
    need("clock")

    said = alone(
        """
import time
from ei.runtime.jail.clock import coarsen
before = time.monotonic(), time.time()
coarsen()
after = time.monotonic(), time.time()
print(all(-0.011 < b - a < 0.5 for a, b in zip(before, after)))
seen = set()
while len(seen) < 4:
    seen.add(time.perf_counter())
steps = sorted(seen)
print(min(b - a for a, b in zip(steps, steps[1:])) >= 0.00099)
import ctypes
tv = (ctypes.c_long * 2)()
print(ctypes.CDLL(None).gettimeofday(tv, None), abs(tv[0] - time.time()) < 2, 0 <= tv[1] < 10**6)
"""
    )

    assert said == "True\nTrue\n0 True True\n"


@pytest.mark.slow
def test_c8_who_reads_the_counter_is_ended() -> None:
    need("clock")

    said = alone(
        """
import ctypes, mmap, os, signal
from ei.runtime.jail.clock import coarsen
memory = mmap.mmap(-1, 4096, prot=7)
memory.write(bytes.fromhex("0f31c3"))  # rdtsc, ret
read = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
_ = read()
pid = os.fork()
if not pid:
    coarsen()
    _ = read()
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGSEGV)
"""
    )

    assert said == "True\n"

"""A program may have as many files open as the system lets it."""

import resource

from ei.daemons.open_files import open_as_many_as_allowed


def test_the_limit_is_raised_to_the_one_above_it() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] // 2, before[1]))
    try:
        assert open_as_many_as_allowed() == before[1]

        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

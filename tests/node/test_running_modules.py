"""The modules of a daemon as who follows a registry sees them; see `ei lab run governance`."""

from ei.node.following import Running
from ei.node.running_modules import RunningModules


def test_they_are_what_following_asks_for() -> None:
    wanted = {name for name in vars(Running) if not name.startswith("_")}

    assert wanted <= set(dir(RunningModules))

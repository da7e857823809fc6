"""How often Python looks for garbage in a program that serves for long.

It counts what is made, not what is kept: packets alone would have it look through everything again
and again, which took a quarter of what a byte costs a gateway.
"""

import gc

SELDOM = 50_000
"""Objects more than before, until it looks at the young ones."""


def collect_seldom() -> None:
    """What is there now stays there, and of what comes hardly anything is part of a cycle."""
    gc.freeze()
    gc.set_threshold(SELDOM)

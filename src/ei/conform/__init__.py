"""Whether a module keeps to the laws, wherever it runs: `ei module conform`.

corpus ─▶ laws ─▶ certificate          pure, in a process of its own (`judge.py`)
            └───▶ jailed worker        the shell (`apart.py`, `worker.py`)
"""

from ei.conform.certificate import Certificate

__all__ = ["Certificate"]

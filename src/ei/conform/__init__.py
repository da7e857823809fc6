"""Whether a module keeps to the laws, wherever it runs: `ei module conform`.

corpus ─▶ laws ─────────┐              pure, in a jailed process of its own (`judge.py`)
            └▶ worker ──┴▶ certificate the shell, of a jailed worker (`apart.py`, `worker.py`)
"""

from ei.conform.certificate import Certificate

__all__ = ["Certificate"]

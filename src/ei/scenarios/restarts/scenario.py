"""Restarts: nodes are drained and restarted in turn, as in drain, also in simulation."""

from ei.scenarios.drain.scenario import run

__all__ = ["run"]

"""Restarts: the scenario `drain` without a cluster, so that simulation can repeat it."""

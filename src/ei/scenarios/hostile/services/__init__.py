"""Modules of the scenario, all of them strangers to its nodes."""

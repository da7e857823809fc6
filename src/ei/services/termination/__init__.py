"""Termination: a host's stream ends at its node, and goes on from there to the legacy Internet."""

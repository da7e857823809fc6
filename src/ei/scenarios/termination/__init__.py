"""Termination: a host's streams end at its node, and go on to servers from there."""

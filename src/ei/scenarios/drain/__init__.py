"""Drain: nodes are restarted one after another, and nobody loses anything."""

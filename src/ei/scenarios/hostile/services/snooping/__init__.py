"""Looks for what is not its own."""

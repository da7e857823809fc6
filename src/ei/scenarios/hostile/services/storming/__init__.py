"""Asks for too much."""

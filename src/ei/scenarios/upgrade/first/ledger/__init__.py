"""Keeps numbers, and acknowledges those that it has kept."""

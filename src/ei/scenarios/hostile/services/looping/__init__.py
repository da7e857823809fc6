"""Computes without end."""

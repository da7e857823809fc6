"""Counts what each source sends."""

"""Keeps registers and sets, for a checker to look at."""

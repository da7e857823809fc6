"""Multicast: one packet in, one copy on each pipe."""

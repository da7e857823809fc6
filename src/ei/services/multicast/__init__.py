"""Multicast: one packet in, a copy to every member of the group, one on each pipe."""

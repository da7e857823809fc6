"""Delivery: a packet to a host, wherever it is attached."""

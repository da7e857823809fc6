"""Pub/sub: what is published under a subject reaches all who want it, now or later."""

"""Caching: what an origin of HTTP said before is said again near the client, as long as it may."""

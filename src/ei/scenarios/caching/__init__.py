"""Caching: one fetch for a crowd, stale when the origin is gone, and nothing for strangers."""

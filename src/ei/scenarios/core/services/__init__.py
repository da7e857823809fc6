"""Service modules of this scenario."""

"""The version that does what it should."""

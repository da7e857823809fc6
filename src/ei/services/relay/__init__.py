"""Relay: the first node knows who asks, the exit knows for what, and neither knows both."""

"""Failover: a host's node dies, and whoever talks with the host notices a short gap."""

"""Signed records: who a host, node, domain or group is and where it is attached."""

"""The service node: pure core in `node.py`, shell in `daemon.py`."""

"""The host stack: pure core in `stack.py`, shell in `client.py`."""

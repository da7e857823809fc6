"""Compression: covered payloads are small between two nodes, by dictionaries of their tenant."""

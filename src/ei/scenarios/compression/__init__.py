"""Compression: payloads are small between two nodes, and nobody learns anything from how small."""

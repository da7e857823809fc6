"""Flood: a node under handshake initiations from spoofed addresses serves whom it knows."""

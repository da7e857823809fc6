"""Takes all memory."""

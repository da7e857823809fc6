"""The service `stamp`."""

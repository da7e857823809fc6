"""The service `filter`."""

"""The service `spread`."""

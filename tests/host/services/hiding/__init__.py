"""A toy that hides hosts: what circuits need of a service, and no more."""

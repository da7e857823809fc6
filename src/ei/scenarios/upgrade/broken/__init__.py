"""A version of the module that does not start."""

"""The version of the module that takes over."""

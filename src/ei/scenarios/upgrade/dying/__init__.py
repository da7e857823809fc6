"""A version of the module that starts, and dies of its first packet."""

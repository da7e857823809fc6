"""The version of the module that runs at the beginning."""

"""A version that fails at each twentieth packet."""

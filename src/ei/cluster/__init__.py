"""A node of several members: who owns a service's state, and how the others keep copies of it."""

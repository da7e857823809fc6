"""Reach: packets of services that are not here, to the nearest node that has them."""

"""A whole internet on one machine, from one topology file."""

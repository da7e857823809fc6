"""Cluster: members die, freeze and are cut off, and nothing that was acknowledged is lost."""

"""What a capability must show: a topology, a script, promises. One folder each; no list to edit."""

"""Upgrade: a module that keeps state changes its version under load, and nothing is lost."""

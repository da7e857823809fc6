"""Hostile: modules that loop, hoard, storm, crash and snoop, beside honest ones."""

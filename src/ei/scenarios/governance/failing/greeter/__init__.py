"""Answers what it is sent."""

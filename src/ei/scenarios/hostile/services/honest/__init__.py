"""Answers, and keeps a secret."""

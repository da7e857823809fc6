"""Governance: fifty nodes run what three of five have approved, and nothing else."""

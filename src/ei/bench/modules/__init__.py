"""Services that benchmarks need, and nobody else."""

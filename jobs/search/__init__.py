"""What to try next: diagnosis of the curves, sampler and pruner."""

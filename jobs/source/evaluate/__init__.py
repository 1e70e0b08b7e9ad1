"""Follows a script without running it: what its expressions stand for, and what they build."""

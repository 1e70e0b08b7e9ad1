"""Who runs the five jobs."""

"""A trainer that trains nothing: it beats, and does what the file ``order`` in the spool says."""

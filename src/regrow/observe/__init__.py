"""Looking into a running tree from outside of it."""

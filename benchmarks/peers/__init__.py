"""How fast other libraries are at the same: `python -m benchmarks.peers`."""

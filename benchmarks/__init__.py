"""How fast regrow is, against what one would write with bare trio: `python -m benchmarks`."""

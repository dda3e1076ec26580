"""``python -m benchmarks.soak``: whether a server is afterwards what it was before."""

"""Which resource answers a path: the only floor that touches the disk."""

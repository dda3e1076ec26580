"""What pytest is told beyond pyproject.toml."""

# Run by trial itself: end_to_end/test_trial.py. Not ``norecursedirs``, which would replace pytest's
# own list, with ``.venv`` and ``.hypothesis`` on it.
collect_ignore = ["trial"]

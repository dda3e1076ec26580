"""The course in docs/lessons: that what it shows is so."""

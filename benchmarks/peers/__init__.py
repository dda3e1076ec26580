"""Servers that are measured beside tinyhttp and have to be written first.

Each is a program on its own, started by its path: nothing imports this package.
"""

"""Twisted: octets in, octets out, and time."""

"""What can be said of a server instead of a figure."""

__all__ = ["OutOfTimeError", "UnableError"]


class UnableError(Exception):
    """A server does not do what a case asks for; the text says what it does instead."""


class OutOfTimeError(UnableError):
    """A measurement took longer than it may."""

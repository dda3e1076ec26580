"""What is wrong with a test that uses this package.

Floor: testing. Apart, so that whoever only wants to say so imports nothing.
"""

__all__ = ["Missing", "ScriptError"]


class ScriptError(ValueError):
    """A script, a path or a content that can't be meant; the message says what would be right."""


class Missing(ScriptError, ImportError):  # noqa: N818 (named after what it is)
    """Something that has to be installed for what was asked."""

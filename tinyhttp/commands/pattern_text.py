"""How the pattern of a rule looks when it is written."""

from ..core.patterns import Name, Pattern
from .terminal import shown

__all__ = ["pattern_text"]


def pattern_text(pattern: Pattern) -> str:
    """Return ``pattern`` as in a file of rules; escapes are undone."""
    names = [_name(name) for name in pattern.before]
    if pattern.splat is not None:
        names.append("*".join(shown((part,)) if part else "" for part in pattern.splat))
    names += [_name(name) for name in pattern.after]
    return "/" + "/".join(names)


def _name(name: Name) -> str:
    first, *others = (shown((part,)) if part else "" for part in name.literals)
    pairs = zip(name.placeholders, others, strict=True)
    return first + "".join(f":{placeholder}{text}" for placeholder, text in pairs)

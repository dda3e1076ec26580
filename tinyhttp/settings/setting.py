"""What a setting is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Reader", "Setting", "flag", "quantity"]

Reader = Callable[[str], Any]


@dataclass(frozen=True)
class Setting:
    """A setting ``name``, in the words of the command line; ``about`` is its help."""

    name: str
    read: Reader
    """Returns the value that a text stands for; raises ``ValueError`` with what is wanted."""
    default: str
    about: str
    several: bool = False
    """Whether it may be given more than once. Its value is a list then, and without a word from
    anybody a list of ``default`` if that is not empty."""
    flag: bool = False
    path: str = ""
    """"directory" or "file" if it names one, which is relative to where it was said; "behind =" if
    a file stands behind the last of these."""
    words: tuple[str, ...] = ()
    """What a path may be besides."""
    shown: str = ""
    """What stands for the default in the help, where that says more."""
    also: str = ""
    """The variable of the environment by which platforms say it."""
    hint: str = ""
    """What is completed in a shell."""

    def value(self, texts: list[str]) -> Any:
        """Return the value of ``texts``; raises ``ValueError``."""
        value = [self.read(text) for text in texts] if self.several else self.read(texts[-1])
        if "\0" in "".join(texts):  # which the system takes for the end of a name
            raise ValueError("there is a NUL in it")
        return value

    @property
    def default_texts(self) -> list[str]:
        """What is read if nobody says anything."""
        return [] if self.several and not self.default else [self.default]

    def within(self, base: str, text: str) -> str:
        """Return ``text``, from ``base`` if it is a path."""
        before, equals, text = text.rpartition("=") if self.path == "behind =" else ("", "", text)
        if self.path and text and text.partition(":")[0] not in self.words:
            text = os.path.join(base, text)
        return before + equals + text


def quantity(name: str, read: Reader, default: float, about: str) -> Setting:
    """Return a setting whose default is a number."""
    said = f"{default:g}" if default < 1e5 else f"{int(default)}"
    return Setting(name, read, said, about)


def flag(name: str, about: str) -> Setting:
    """Return a setting that is off unless it is said."""
    return Setting(name, switch, "false", about, flag=True)


_SWITCH = {"true": True, "yes": True, "on": True, "1": True,
           "false": False, "no": False, "off": False, "0": False}  # fmt: skip


def switch(said: str) -> bool:
    """Return whether something is on."""
    if said.lower() not in _SWITCH:
        raise ValueError("true or false is wanted")
    return _SWITCH[said.lower()]

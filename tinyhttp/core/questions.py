"""What has to be found out before a request can be answered.

Floor: core (pure). Whoever decides asks these, and whoever can wait answers them.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from .access import Access, Credentials
from .listing import TooMany, View
from .path import SitePath
from .resource import Representation, Resource
from .response import Response

__all__ = ["Answer", "ListNames", "LookUp", "Question", "Steps", "Verify"]


@dataclass(slots=True, frozen=True)
class LookUp:
    """What does ``path`` lead to? Answered by a `Resource`."""

    path: SitePath


@dataclass(slots=True, frozen=True)
class ListNames:
    """What is in the directory ``path``? Answered by a `Representation`, `TooMany` or `Missing`."""

    path: SitePath
    view: View
    form: bytes


@dataclass(slots=True, frozen=True)
class Verify:
    """Are these ``credentials`` good for what ``access`` protects? Answered by ``bool``."""

    access: Access
    credentials: Credentials


Question: TypeAlias = LookUp | ListNames | Verify
Answer: TypeAlias = Resource | Representation | TooMany | bool
Steps: TypeAlias = Generator[Question, "Answer", Response]

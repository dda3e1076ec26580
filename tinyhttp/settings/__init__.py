"""Which settings there are: their names, what they may be, and what they are if nobody says.

One table for the command line, the environment and the configuration file, so that these can't
disagree. Everything is read from text; a reader says in one line what it would have taken.
"""

from .limits import GRACE, LIMITS
from .listening import LISTENING
from .operations import OPERATIONS
from .readers import MOST_WORKERS, port
from .setting import Setting
from .site import SITE

__all__ = ["GRACE", "MOST_WORKERS", "SETTINGS", "SITE", "Setting", "named", "port"]

SETTINGS: tuple[Setting, ...] = (*LISTENING, *SITE, *OPERATIONS, *LIMITS)
"""In the order in which they are shown."""


def named(name: str) -> Setting | None:
    """Return the setting of that name, if there is one."""
    return next((setting for setting in SETTINGS if setting.name == name), None)

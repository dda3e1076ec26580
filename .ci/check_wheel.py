"""Checks what is in the wheel named on the command line."""

import sys
from zipfile import ZipFile

names = set(ZipFile(sys.argv[1]).namelist())

for wanted in (
    "tinyhttp/__init__.py",
    "tinyhttp/py.typed",
    "tinyhttp/conform/cases/__init__.py",
    "tinyhttp/testing/pytest_plugin.py",
    "twisted/plugins/tinyhttp_plugin.py",
):
    if wanted not in names:
        sys.exit(f"{wanted} is not in the wheel")

# Those are Twisted's: a file of ours in their place would hide the whole of Twisted.
for unwanted in ("twisted/__init__.py", "twisted/plugins/__init__.py"):
    if unwanted in names:
        sys.exit(f"{unwanted} is in the wheel")

for name in names:
    if name.split("/")[0] not in ("tinyhttp", "twisted") and ".dist-info/" not in name:
        sys.exit(f"{name} does not belong into the wheel")
    if name.endswith((".pyc", "dropin.cache")):
        sys.exit(f"{name} is left over from somebody's machine")

print(f"{len(names)} files, and the right ones")  # noqa: T201 (for whoever reads the log)

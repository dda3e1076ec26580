"""A configuration as a site gets it over the years: redirects, fields, a part for few.

The files stay what they are for everybody else, so that the difference is what the rules cost.
"""

from pathlib import Path

__all__ = ["OPTIONS", "SECRETS", "write_rules"]

OPTIONS = ("--caching", "--security-headers", "--auth=/private=env")
SECRETS = ("BASIC_AUTH_USERNAME=anna", "BASIC_AUTH_PASSWORD=of no use to anybody")
"""What the environment has to hold for them."""

_REDIRECTS, _FIELDS = 2000, 100


def write_rules(file: Path) -> None:
    """Write 2,000 redirects and 100 rules for fields; none of the former is for a file."""
    file.write_text("".join([*_redirects(), *_fields()]))


def _redirects() -> list[str]:
    """Return renamed posts, a tenth of them by pattern, and some rules that come before files."""
    rules = []
    for number in range(_REDIRECTS):
        path, target, force = f"/blog/post-{number}.html", f"/posts/{number}/", "false"
        if number % 10 == 1:
            path, target = f"/topic-{number}/*", f"/tags/{number}/:splat"
        elif number % 100 == 2:
            path, force = f"/drafts/{number}", "true"
        rules.append(
            f'[[redirects]]\nfrom = "{path}"\nto = "{target}"\nstatus = 301\nforce = {force}\n'
        )
    return rules


def _fields() -> list[str]:
    """Return rules of which two are about a page at the root."""
    paths = ["/*", "/*.html", *(f"/section-{number}/*" for number in range(_FIELDS - 2))]
    return [
        f'[[headers]]\nfor = "{path}"\n[headers.values]\nX-Section = "{number}"\n'
        for number, path in enumerate(paths)
    ]

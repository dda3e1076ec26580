"""How the pages are built: ``sphinx-build -W --keep-going -b html docs build/html``."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import generated  # noqa: E402

from tinyhttp import __version__  # noqa: E402

project = "tinyhttp"
author = "the tinyhttp project"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["pictures/*.py", "**/code/**"]
highlight_language = "text"  # a block that does not say what it is
suppress_warnings = ["misc.highlighting_failure"]  # examples leave things out: "..."
smartquotes = False  # "--" is two signs
default_role = "py:obj"

myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 4  # as code hosts make them

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"tinyhttp {__version__}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "default"
pygments_dark_style = "github-dark"


def _complete(app, docname, source):
    source[0] = generated.complete(docname, source[0])


def setup(app):
    """Have what is generated put into the pages before they are parsed."""
    app.connect("source-read", _complete)

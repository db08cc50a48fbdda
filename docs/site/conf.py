# SPDX-License-Identifier: Apache-2.0
"""Sphinx's configuration. scripts/docs.sh lays the sources together (prepare.py) and builds the site."""

project = "vastmax"
author = "The vastmax authors"
copyright = "The vastmax authors, Apache License 2.0"

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
html_theme = "furo"
html_title = "vastmax"
html_copy_source = False
html_extra_path = ["extra"]
primary_domain = "c"
highlight_language = "none"
# Sphinx has no lexer for Julia's prompt with several inputs; a block that does not lex is shown plain.
suppress_warnings = ["misc.highlighting_failure"]

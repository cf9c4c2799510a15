"""Sphinx: Markdown pages, the Furo theme."""

project = "Tollgate"
copyright = "2026, the Tollgate authors"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Tollgate"
myst_heading_anchors = 3
exclude_patterns = ["_build"]

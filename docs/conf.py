"""How Sphinx makes the site. `docs/build.py` calls it; nothing here asks the network."""

project = "powderkeg"
author = "The powderkeg developers"
copyright = author
extensions = ["myst_parser"]
exclude_patterns = ["_build", "img/*.py"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "powderkeg"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
# From a disk a page may not ask for other pages, so search shows titles and headings, without a piece of their text.
html_show_search_summary = False
html_static_path = ["_static"]
html_css_files = ["powderkeg.css"]
# Colours of code that keep a contrast of 4.5 to 1 on the theme's grounds.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

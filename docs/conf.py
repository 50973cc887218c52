"""How Sphinx makes the manual into a site: `make docs`. Its root is the project's folder."""

project = "reread"
author = "the authors of reread"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "models/CARD.md",
    "models/weights/*/CARD.md",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
]
myst_heading_anchors = 4  # pages link to each other's headings, as they do on a code host
html_theme = "furo"
html_title = "reread"
html_show_sphinx = False
html_show_copyright = False

"""Markdown that people write, as HTML that is safe to show."""

from markdown_it import MarkdownIt
from markupsafe import Markup

# HTML in the text is shown as text; links keep to safe schemes. No images: a page asks this site
# for nothing that a text names.
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def written(text: str) -> Markup:
    """Render a text; what is HTML in it becomes text."""
    return Markup(_markdown.render(text))  # noqa: S704 - HTML in it has become text

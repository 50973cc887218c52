"""reread: human + AI reader studies in dermatology."""

from importlib.metadata import version

__version__ = version("reread")

"""Raw driving logs in, driving answers and their scores out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("impromptu-vla")
except PackageNotFoundError:  # a source tree on the path, not installed
    __version__ = "0+unknown"

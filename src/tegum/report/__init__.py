"""The static report: one folder that opens from disk, with every claim, figure and row, and no outside request.

`build` reads a store and writes the folder. What a page shows is plain data (`_parts`), which the page (`_page`) turns into HTML without
knowing where it came from.
"""

from tegum.report._build import build
from tegum.report._capacity import capacity_page

__all__ = ["build", "capacity_page"]

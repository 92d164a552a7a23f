"""Pages: what a page of tegum looks like, how a figure stands in one, and a page that is one file. Knows no experiment and no audit."""

from tegum.pages.one_file import one_file
from tegum.pages.parts import MARK, THEME, asset, drawing, leave

__all__ = ["MARK", "THEME", "asset", "drawing", "leave", "one_file"]

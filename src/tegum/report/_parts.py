"""What a report shows, as plain data: claims and words, but no store, no experiment and no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tegum.store import Claim


@dataclass(frozen=True)
class Failed:
    """A cell that has no row (or claims or figures that raised), and why."""

    what: str
    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Download:
    """A file beside the page: `href` is relative to it."""

    label: str
    href: str
    size: int


@dataclass(frozen=True)
class Drawing:
    """A figure as plotly's own JSON, with the caption and the size (px) that the page needs before it is drawn."""

    json: str
    caption: str = ""
    height: int = 400
    width: int | None = None


@dataclass(frozen=True)
class Other:
    """Another setting of a section's experiment: what is changed in it, what became of it, and what of that is amiss."""

    setting: str
    told: str
    failures: int = 0
    differs: bool = False  # a verdict is not the one on record


@dataclass(frozen=True)
class Section:
    """One experiment at one setting."""

    name: str
    title: str
    id: str = ""
    introduction: str = ""
    source: str = ""
    preset: str = ""
    command: str = ""
    state: str = "finished"
    done: int = 0
    total: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)  # time, machine, versions, git state: label -> words
    claims: tuple[Claim, ...] = ()
    figures: tuple[Drawing, ...] = ()
    failures: tuple[Failed, ...] = ()
    downloads: tuple[Download, ...] = ()
    others: tuple[Other, ...] = ()

    @property
    def anchor(self) -> str:
        """The section's address within the page, like no other there: its name, made of letters, digits, - and _ alone."""
        return "run-" + "".join(c if c.isalnum() or c in "-_" else "-" for c in self.name)


@dataclass(frozen=True)
class Report:
    """The whole page; `waiting` names the experiments that have no run yet, as (id, title, command)."""

    sections: tuple[Section, ...] = ()
    waiting: tuple[tuple[str, str, str], ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    downloads: tuple[Download, ...] = ()
    command: str = "tegum reproduce"  # runs every experiment

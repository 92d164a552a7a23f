"""Capacity: how much d dims hold, asked of a size or of a set."""

from tegum.capacity.capacity_table import table
from tegum.capacity.needs import Need, Rule, measure_need
from tegum.capacity.panel import PANEL
from tegum.capacity.string_set import Members, Readings, StringSet, bloom_rate
from tegum.capacity.transition import Transition, transition
from tegum.capacity.trials import DICTIONARIES, Count, Setting

__all__ = [
    "DICTIONARIES",
    "PANEL",
    "Count",
    "Members",
    "Need",
    "Readings",
    "Rule",
    "Setting",
    "StringSet",
    "Transition",
    "bloom_rate",
    "measure_need",
    "table",
    "transition",
]

"""Capacity: how much d dims hold, asked of a size or of a set."""

from tegum.capacity.string_set import Members, Readings, StringSet, bloom_rate

__all__ = ["Members", "Readings", "StringSet", "bloom_rate"]

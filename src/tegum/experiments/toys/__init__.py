"""Group A: toy models of superposition (seeds 001, 003 and 004; Elhage et al. 2022)."""

"""Toy models of superposition, A1 to A5, A14 and A15 (Elhage et al. 2022; Cho 2024; Işık)."""

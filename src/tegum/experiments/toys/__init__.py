"""Toy models of superposition, A1 to A15, and T1, how their gradient is best estimated (Elhage et al. 2022; Cho 2024; Işık)."""

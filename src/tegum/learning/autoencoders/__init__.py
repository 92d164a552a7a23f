"""Sparse autoencoders, one architecture a file: each says how codes are made, and what is made small when it is trained."""

"""Formats of sparse autoencoders, one a file: each says which files it knows, and how our weights are told in it."""

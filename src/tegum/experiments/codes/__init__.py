"""Codes and decoders: who reads a superposition (T2; Donoho & Tanner; Donoho, Maleki & Montanari; Gadzinski)."""

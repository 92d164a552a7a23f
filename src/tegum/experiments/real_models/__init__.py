"""What real models and their layers show: A16 and C3, C5, C6, C8."""

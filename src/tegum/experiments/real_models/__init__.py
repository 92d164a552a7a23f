"""Group A, on real models: tables of directions that training made for other reasons than ours."""

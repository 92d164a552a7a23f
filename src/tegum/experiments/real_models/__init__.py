"""Claims on real models, A16 so far: tables of directions that training made for other reasons than ours."""

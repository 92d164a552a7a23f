"""Speed against peers: each `bench_*.py` holds one contest, run side by side on one machine by `python -m bench`."""

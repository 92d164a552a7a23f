"""`python -m tegum` is `tegum`."""

from tegum.cli import main

if __name__ == "__main__":
    main()

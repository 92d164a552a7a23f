"""The command line: `tegum list | info | run | reproduce | status | report | doctor`.

Results go to stdout, progress to stderr. Exit codes: 0 all well; 1 a cell failed, or a claim's verdict differs from the one on record;
2 bad input, told in one line; 130 interrupted.
"""

import contextlib
import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments in (["list"], ["list", "--json"]):  # typer and the pydantic beneath it take longer to load than the listing
        from tegum.cli.listing import write_listing

        with contextlib.suppress(ValueError):  # parts that share a name: told below, as every command tells it
            write_listing(as_json="--json" in arguments)
            return 0
    import typer

    from tegum.cli.app import app
    from tegum.cli.errors import note, one_line

    try:
        return app(arguments or ["--help"], prog_name="tegum", standalone_mode=False) or 0
    except typer.TyperException as error:
        note(f"tegum: {one_line(error.format_message())}")
        return error.exit_code

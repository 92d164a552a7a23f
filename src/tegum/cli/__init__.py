"""The command line: `tegum list | info | run | reproduce | capacity | convert | status | report | doctor`.

Results go to stdout, progress to stderr. Exit codes: 0 all well; 1 a cell failed, or a claim's verdict differs from the one on record;
2 bad input, told in one line; 130 interrupted.
"""

import contextlib
import sys

from tegum.cli.streams import CannotAnswer, outlast_readers


def main() -> None:
    """Run the command line and exit with its code."""
    outlast_readers()
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _told("interrupted", 130)
    except CannotAnswer as error:
        code = _told(str(error), 1)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    if arguments in (["list"], ["list", "--json"]):  # typer and the pydantic beneath it take longer to load than the listing
        from tegum.cli.listing import write_listing

        with contextlib.suppress(ValueError):  # parts that share a name: told below, as every command tells it
            write_listing(as_json="--json" in arguments)
            return 0
    import typer

    from tegum.cli.app import app
    from tegum.cli.errors import Interrupted, one_line

    try:
        code = app(arguments or ["--help"], prog_name="tegum", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _told(one_line(error.format_message()), error.exit_code)
    return _told("interrupted", code) if code == Interrupted.exit_code else code  # typer's own answer to Ctrl-C is a bare code


def _told(why: str, code: int) -> int:
    sys.stderr.write(f"tegum: {why}\n")
    return code

"""A source file of more than 400 lines says why, in its first lines: `# over 400 lines because: ...`. Run by `make check`."""

import re
import sys
from pathlib import Path

LIMIT = 400
REASON_WITHIN = 5  # lines from the top
REASON = re.compile(rf"#\s*over {LIMIT} lines because:\s*\S")


def too_long(root: Path) -> list[str]:
    """One line for each Python, CSS or JavaScript file under `root` that is over the limit and gives no reason."""
    complaints = []
    for file in sorted(f for kind in ("*.py", "*.css", "*.js") for f in root.rglob(kind)):
        lines = file.read_text().splitlines()
        if len(lines) > LIMIT and not any(REASON.search(line) for line in lines[:REASON_WITHIN]):
            complaints.append(
                f"{file}: {len(lines)} lines; look for the second idea in it, or begin it with '# over {LIMIT} lines because: ...'"
            )
    return complaints


if __name__ == "__main__":
    complaints = too_long(Path(sys.argv[1] if len(sys.argv) > 1 else "src"))
    sys.exit("\n".join(complaints) or 0)

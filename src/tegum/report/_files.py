"""What a report offers for download: each experiment's rows in every format that takes them, and the claims."""

from pathlib import Path

from tegum.report._parts import Download, Failed, Section
from tegum.store import Rows
from tegum.store.strict_json import strict_json

_KINDS = {"csv": "rows as csv", "parquet": "rows as parquet", "json": "rows as json", "safetensors": "arrays as safetensors"}


def write_rows(rows: Rows, name: str, out: Path) -> tuple[tuple[Download, ...], tuple[Failed, ...]]:
    """Write the rows to `out`/data and tell what there is, and which format did not take them. A disk that takes no more is an OSError."""
    told: list[Download] = []
    failed: list[Failed] = []
    for kind, label in _KINDS.items():
        path = out / "data" / f"{name}.{kind}"
        try:
            if not len(rows) or (kind == "safetensors" and not rows.arrays()):
                continue
            rows.export(path)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a format says of these rows is told in their section
            path.unlink(missing_ok=True)
            failed.append(Failed(label, "not written", f"{type(error).__name__}: {error}"))
        else:
            told.append(Download(label, f"data/{path.name}", path.stat().st_size))
    return tuple(told), tuple(failed)


def write_claims(sections: tuple[Section, ...], out: Path) -> tuple[Download, ...]:
    """Write every claim with its verdict to `out`/claims.json."""
    told = [
        {"experiment": s.name, "id": s.id, **claim.to_dict(), "verdict": claim.verdict, "bounds": claim.bounds}
        for s in sections
        for claim in s.claims
    ]
    if not told:
        return ()
    path = out / "claims.json"
    path.write_text(strict_json(told), encoding="utf-8")
    return (Download("claims as json", path.name, path.stat().st_size),)

"""The card of a model: what it was trained on and how good it is, from what train-head wrote into its folder."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from classify.data import SEPARATOR
from classify.web.collection.collection import Collection, public_name
from embed.machine import read_regular

_MOST_BYTES = 64 << 20
_MOST_SUSPECTS = 200


def read_card(found: Collection) -> dict[str, Any]:
    """Return the card JSON-ready; what is not in the folder, as of a head from elsewhere, is None or empty."""
    folder = found.head
    return {
        "head": {
            "name": folder.name,
            "arch": found.classifier.config.arch,
            "trained_at": _changed_at(folder / "head.json"),
            "labels": found.names,
        },
        "report": _read_json(folder / "report.json"),
        "history": [
            {name: _number(cell) for name, cell in row.items() if name} for row in _read_rows(folder / "history.csv")
        ],
        "suspects": _suspects(found, folder / "suspects.csv"),
        "versions": [],
    }


def _suspects(found: Collection, path: Path) -> list[dict[str, Any]]:
    """Return the videos of the store whose label is doubted, those first that are doubted most."""
    doubted = [row for row in _read_rows(path) if row.get("suggestion") and row.get("id") in found.places_of_ids]
    return [
        {
            "id": public_name(row["id"]),
            "labels": row.get("label", "").split(SEPARATOR),
            "suggestion": row["suggestion"].split(SEPARATOR),
        }
        for row in doubted[:_MOST_SUSPECTS]
    ]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except (OSError, ValueError, RecursionError):
        return None


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        rows = csv.DictReader(io.StringIO(_read(path), newline=""))
        return [{str(name): cell or "" for name, cell in row.items() if isinstance(cell, str | None)} for row in rows]
    except (OSError, ValueError, csv.Error):
        return []


def _read(path: Path) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise OSError(f"{path} is too large for a card")
    return read_regular(path).decode("utf-8", "surrogateescape")


def _number(cell: str) -> float | str | None:
    try:
        return float(cell)
    except ValueError:
        return cell or None


def _changed_at(path: Path) -> str | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError:
        return None

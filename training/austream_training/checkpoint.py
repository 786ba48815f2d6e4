"""The checkpoint of a run, `last.pt`: whole, or as it was when the run is cut off while it writes."""

from __future__ import annotations

from pathlib import Path

import torch


def write(run: Path, state: dict) -> None:
    torch.save(state, run / "next.pt")
    (run / "next.pt").replace(run / "last.pt")

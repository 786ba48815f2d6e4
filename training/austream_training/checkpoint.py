"""Atomic checkpoint of a run, `last.pt`: an interrupted write leaves the previous one intact."""

from __future__ import annotations

from pathlib import Path

import torch


def write(run: Path, state: dict) -> None:
    torch.save(state, run / "next.pt")
    (run / "next.pt").replace(run / "last.pt")

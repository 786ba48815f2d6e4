"""Exports a trained ensemble in the product's format: weights.safetensors (fp16) and model.json."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .edge import EDGE, WINDOW, EdgeModel
from .paper import BACKBONE, NGUYEN, PRESETS
from .synthetic.aus import NAMES


def write(
    model: EdgeModel, out: Path, version: str, metrics: dict, reliability: np.ndarray, thresholds: np.ndarray, training: dict
) -> Path:
    """Batch-norm statistics are stored under timm's names and are not folded. Raises ValueError when a weight is not
    finite or exceeds fp16's range."""
    notes = {
        "thresholds": dict(zip(NAMES, np.round(thresholds, 3).tolist())),
        "smoothing": model.sigma,
        "reliability": dict(zip(NAMES, np.round(reliability, 3).tolist())),
        "licence": "MIT",
        "training": training,
        "metrics": metrics,
    }
    return _folder(out, "austream-edge", version, "edge", EDGE, {k: v.half() for k, v in model.state_dict().items()}, notes)


def write_paper(run: Path, out: Path, name: str, version: str) -> Path:
    """Exports the members that `table2` trained in `run` (regnet-vit, nguyen, or one of them) as one fp32 model, whose
    score is their mean. Uses the σ that row `smoothing` found, if it ran. Raises FileNotFoundError when neither was
    trained, ValueError when the product cannot load them."""
    members = {m: torch.load(f, map_location="cpu", weights_only=True) for m in ("regnet-vit", "nguyen") if (f := run / m / "last.pt").is_file()}
    if not members:
        raise FileNotFoundError(f"{run} has neither regnet-vit/last.pt nor nguyen/last.pt: run `table2 --row regnet-vit` first")
    parts, tensors = {"regnet-vit": "vivit", "nguyen": "nguyen"}, {}
    for member, saved in members.items():
        if (window := saved["recipe"]["window"]) != WINDOW:
            raise ValueError(f"{run / member} was trained on windows of {window} crops, the product's are of {WINDOW}")
        for key, tensor in saved["model"].items():
            prefix = f"{parts[member]}.backbone." if key.startswith("backbone.") else f"{parts[member]}."
            tensors[prefix + key.split(".", 1)[1]] = tensor.float()
    preset = next(iter(members.values()))["recipe"]["preset"]
    architecture = {"stem": BACKBONE["stem"], "depths": BACKBONE["depths"], "widths": BACKBONE["widths"], "groupWidth": BACKBONE["group"], "sharedBackbone": False}
    architecture |= {"vivit": PRESETS[preset]} if "regnet-vit" in members else {}
    architecture |= {"nguyen": NGUYEN} if "nguyen" in members else {}
    rows = json.loads(file.read_text()) if (file := run / "table2.json").is_file() else {}
    notes = {"training": {m: saved["recipe"] | {"epochs trained": saved["epoch"]} for m, saved in members.items()}}
    notes |= {"metrics": rows} if rows else {}
    notes |= {"smoothing": rows["smoothing"]["product"]} if "smoothing" in rows else {}
    return _folder(out, name, version, preset if len(members) == 2 else "custom", architecture, tensors, notes)


def _folder(out: Path, name: str, version: str, preset: str, architecture: dict, state: dict[str, torch.Tensor], notes: dict) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().contiguous() for k, v in state.items() if not k.endswith("num_batches_tracked")}
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{key} is not finite in {str(tensor.dtype).removeprefix('torch.')}")
    file = out / "weights.safetensors"
    save_file(tensors, file, metadata={"format": "pt"})
    manifest = {
        "name": name,
        "version": version,
        "preset": preset,
        "trained": True,
        "architecture": architecture,
        "input": {"size": 112, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "window": WINDOW},
        "aus": list(NAMES),
        "weights": [{"file": file.name, "bytes": file.stat().st_size, "sha256": digest(file)}],
    }
    (out / "model.json").write_text(json.dumps(manifest | notes, indent=2) + "\n")
    return out


def load(folder: Path) -> EdgeModel:
    """The exported weights as fp32, checked against their sha256. Raises ValueError when they differ."""
    manifest = json.loads((folder / "model.json").read_text())
    (entry,) = manifest["weights"]
    if digest(folder / entry["file"]) != entry["sha256"]:
        raise ValueError(f"{folder / entry['file']} does not have the sha256 of model.json")
    model = EdgeModel(manifest["architecture"])
    state = {k: v.float() for k, v in load_file(folder / entry["file"]).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    wrong = [k for k in missing if not k.endswith("num_batches_tracked")] + unexpected
    if wrong:
        raise ValueError(f"tensors that do not match the preset: {wrong}")
    model.sigma |= manifest.get("smoothing", {})
    return model.eval()


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

"""A trained ensemble as the product loads it: weights.safetensors (fp16) and model.json beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from .edge import EDGE, EdgeModel
from .synthetic.aus import NAMES


def write(
    model: EdgeModel, out: Path, version: str, metrics: dict, reliability: np.ndarray, thresholds: np.ndarray, training: dict
) -> Path:
    """Batch-norm statistics stay apart, under timm's names; whoever loads may fold them. Raises ValueError where
    a weight is not finite or leaves fp16's range."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        half = tensor.detach().to(torch.float16).contiguous()
        if not torch.isfinite(half).all():
            raise ValueError(f"{name} is not finite in fp16")
        tensors[name] = half
    file = out / "weights.safetensors"
    save_file(tensors, file, metadata={"format": "pt"})
    manifest = {
        "name": "austream-edge",
        "version": version,
        "preset": "edge",
        "trained": True,
        "architecture": EDGE,
        "input": {"size": 112, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "window": 256},
        "aus": list(NAMES),
        "thresholds": dict(zip(NAMES, np.round(thresholds, 3).tolist())),
        "reliability": dict(zip(NAMES, np.round(reliability, 3).tolist())),
        "weights": [{"file": file.name, "bytes": file.stat().st_size, "sha256": digest(file)}],
        "licence": "MIT",
        "training": training,
        "metrics": metrics,
    }
    (out / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return out


def load(folder: Path) -> EdgeModel:
    """The exported weights as fp32, checked against their sha256. Raises ValueError where they differ."""
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
    return model.eval()


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

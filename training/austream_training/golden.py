"""Golden numbers for the product's tests: outputs of PyTorch and timm with weights that both sides compute by formula.

    python -m austream_training.golden ../test/fixtures/model [NAME…]      (after new weights: shipped)

`spread` and `uniform` match src/infer/weights/random-weights.ts bit for bit. A sample of each layer group's output is
stored, so a failing test shows where the two implementations diverge.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor, nn

from .edge import EDGE, Nguyen, RegNet, ViViT
from .export import load
from .paper import BACKBONE, NGUYEN, PRESETS

SAMPLES = 48
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def uniform(name: str, count: int) -> np.ndarray:
    """`count` float64 in -1 … 1: lowbias32 of a counter, seeded by FNV-1a of the name."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.uint32(seed) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x = x ^ (x >> np.uint32(16))
    return (x >> np.uint32(8)) / 2.0**23 - 1


def spread(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Scale and shift of a parameter's values."""
    if re.search(r"frequency$|cls_token$|_pos$", name):
        return 1.0, 0.0
    if name.endswith("running_var"):
        return 0.5, 1.0
    if name.endswith("conv3.bn.weight"):
        return 0.025, 0.25
    if len(shape) > 1:
        return float(np.sqrt((6 if len(shape) == 4 else 3) / (np.prod(shape) / shape[0]))), 0.0
    if re.search(r"(bn|norm\d?|_norm)\.weight$", name):
        return 0.1, 1.0
    return 0.1, 0.0


def fill(module: nn.Module, prefix: str) -> nn.Module:
    """Fills every parameter with its formula's values, seeded by its name in the whole model."""
    for name, tensor in module.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            scale, shift = spread(prefix + name, tuple(tensor.shape))
            values = shift + uniform(prefix + name, tensor.numel()) * scale
            tensor.copy_(torch.from_numpy(values.astype(np.float32)).view(tensor.shape))
    return module.eval()


def crops(name: str, n: int) -> Tensor:
    """Bytes (n, 112, 112, 3): noise over a ramp, the same as in the product's tests."""
    noise = uniform(name, n * 112 * 112 * 3).reshape(n, 112, 112, 3) * 60
    ramp = np.arange(112)[:, None] + np.arange(112)[None]
    return torch.from_numpy(np.floor(noise + 60 + ramp[None, :, :, None] * 0.6).astype(np.uint8))


def normalise(pixels: Tensor) -> Tensor:
    return ((pixels.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2)


def sample(x: Tensor) -> dict:
    """Evenly spaced values of the flattened output; images as (n, h, w, c)."""
    x = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
    flat = x.reshape(-1).double().numpy()
    at = np.arange(SAMPLES) * flat.size // SAMPLES
    return {"shape": list(x.shape), "largest": float(np.abs(flat).max()), "values": [float(f"{v:.8g}") for v in flat[at]]}


class Taps:
    """Outputs of modules by the product's names. A convolution's output is that of its batch norm, which the product folds."""

    def __init__(self) -> None:
        self.found: dict[str, dict] = {}

    def on(self, module: nn.Module, prefix: str, pattern: str) -> None:
        for name, child in module.named_modules():
            full = prefix + re.sub(r"\.bn$", ".conv", name)
            if re.search(pattern, full) and not (name.endswith(".conv") and not name.endswith("fc1")):
                child.register_forward_hook(lambda _m, _i, out, full=full: self.found.__setitem__(full, sample(out)))


BACKBONE_TAPS = r"(stem|s\d\.b\d\.(conv3|downsample))\.conv$|s\d\.b1\.se\.fc2$"
TIMM_TAPS = BACKBONE_TAPS.replace("stem|", "")  # timm's batch norms include a ReLU that follows
FRAME_TAPS = r"^vivit\.(embed|spatial_norm|spatial\.\d+\.(attn\.proj|fc2))$"
WINDOW_TAPS = (
    r"^vivit\.(temporal_norm|head|temporal\.\d+\.(attn\.proj|fc2))$"
    r"|^nguyen\.(branch2\.2|heads\.\d|fusion\.[02]|branch\d\.(encoder_norm|decoder_norm|(encoder|decoder)\.\d+\.(fc2|attn\.proj|cross\.proj)))$"
)


def regnety() -> dict:
    """timm's regnety_004 with its head: the reference for the product's backbone."""
    model = timm.create_model("regnety_004", pretrained=False)
    fill(model, "backbone.")
    taps = Taps()
    taps.on(model, "backbone.", TIMM_TAPS)
    features = model.forward_features(normalise(crops("crops", 2)))
    return {"parameters": sum(p.numel() for p in model.parameters()), "features": sample(features), "taps": taps.found}


def members(preset: str) -> dict[str, nn.Module]:
    """A preset's modules by name prefix; the paper's members have one backbone each."""
    if preset == "edge":
        net = RegNet(EDGE["stem"], EDGE["depths"], EDGE["widths"], EDGE["groupWidth"])
        c = EDGE["widths"][-1]
        return {"backbone.": net, "vivit.": ViViT(c, **EDGE["vivit"]), "nguyen.": Nguyen(c, **EDGE["nguyen"])}
    c = BACKBONE["widths"][-1]
    return {
        "vivit.backbone.": RegNet(**BACKBONE),
        "nguyen.backbone.": RegNet(**BACKBONE),
        "vivit.": ViViT(c, **PRESETS[preset]),
        "nguyen.": Nguyen(c, **NGUYEN),
    }


def ensemble(preset: str) -> dict:
    """Outputs of every layer group of a preset with formula weights: two crops encoded, one window of formula embeddings
    scored."""
    parts = members(preset)
    counts = {prefix: sum(p.numel() for p in part.parameters()) for prefix, part in parts.items()}
    taps = Taps()
    for prefix, part in parts.items():
        fill(part, prefix)
        taps.on(part, prefix, f"{BACKBONE_TAPS}|{FRAME_TAPS}|{WINDOW_TAPS}")
    pixels = normalise(crops("crops", 2))
    backbone = lambda of: parts[of if of in parts else "backbone."](pixels).flatten(2).transpose(1, 2)  # noqa: E731
    vivit, nguyen = parts["vivit."], parts["nguyen."]
    embeddings = torch.cat([vivit.encode(backbone("vivit.backbone.")), backbone("nguyen.backbone.").mean(1)], 1)
    dim, size = vivit.embed.out_features, embeddings.shape[1]
    window = torch.from_numpy(uniform("window", 256 * size).astype(np.float32)).view(1, 256, size)
    first, (fused, branches) = vivit.score(window[..., :dim]), nguyen.score(window[..., dim:])
    scores = {
        "vivit": torch.sigmoid(first),
        "fused": torch.sigmoid(fused),
        "branch1": torch.sigmoid(branches[0]),
        "ensemble": (torch.sigmoid(first) + torch.sigmoid(fused)) / 2,
    }
    return {
        "parameters": counts,
        "embeddings": sample(embeddings),
        "scores": {name: sample(x) for name, x in scores.items()},
        "newest": scores["ensemble"][0, -16:].flatten().tolist(),
        "taps": taps.found,
    }


def shipped(folder: Path) -> dict:
    """Outputs of the shipped weights: 12 crops, and a window that repeats their embeddings."""
    model = load(folder)
    embeddings = model.encode(normalise(crops("shipped", 12)))
    scores = model.score(embeddings[torch.arange(256) % 12][None])
    manifest = json.loads((folder / "model.json").read_text())
    return {"sha256": manifest["weights"][0]["sha256"], "embeddings": sample(embeddings), "scores": scores[0, -16:].flatten().tolist()}


@torch.no_grad()
def main(out: Path, names: list[str]) -> None:
    torch.set_num_threads(2)
    out.mkdir(parents=True, exist_ok=True)
    shipped_model = Path(__file__).parents[2] / "models" / "edge"
    fixtures = {"regnety_004": regnety, "shipped": lambda: shipped(shipped_model)}
    fixtures |= {preset: lambda preset=preset: ensemble(preset) for preset in ("edge", *PRESETS)}
    for name in names or fixtures:
        (out / f"{name}.json").write_text(json.dumps(fixtures[name](), indent=1) + "\n")
        print(out / f"{name}.json", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

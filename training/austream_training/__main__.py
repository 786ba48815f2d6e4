"""Every step of making weights as one command: python -m austream_training <command> --help."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch


def annotate(a: argparse.Namespace) -> None:
    from .synthetic import facekit, portraits

    kit = facekit.load(a.facekit)
    files = sorted(a.portraits.glob("*.jpg"))
    notes = portraits.annotate(files, a.landmarker)
    if not notes["found"].all():
        raise SystemExit(f"no face found in {[f.name for f, ok in zip(files, notes['found']) if not ok]}: remove these files")
    names, bias = list(notes["names"]), None
    for _ in range(2):  # the second round knows how the two landmark definitions differ
        fits = [
            portraits.fit(kit, points, portraits.kit_weights(kit, names, shapes), bias)
            for points, shapes in zip(notes["points"], notes["shapes"])
        ]
        bias = np.column_stack([np.mean([f["residual"] for f in fits], 0), np.zeros(68)])
    np.savez(a.out, **notes, **{f"fit_{k}": np.stack([f[k] for f in fits]) for k in fits[0]})
    print(f"{len(files)} portraits, landmarks fitted to {np.mean([f['error'] for f in fits]):.3f} cm")


def generate(a: argparse.Namespace) -> None:
    from .synthetic import generate as g

    paths = (a.facekit, a.portraits, a.notes)
    for k, split in enumerate(g.SPLITS):
        g.write_portraits(split, a.set, paths)
        share = 1.0 if split == "train" else 0.12
        g.write("stills", split, a.set, paths, round(a.people * share), round(a.invented * share), a.each, a.seed + k, a.workers)
        g.write("clips", split, a.set, paths, round(a.clips * 0.7 * share) + 1, round(a.clips * 0.3 * share) + 1, g.WINDOW, a.seed + 10 + k, a.workers)


def demo(a: argparse.Namespace) -> None:
    from .synthetic import dataset, demo as d, generate as g

    studio = dataset.Studio.open(a.facekit, a.portraits, a.notes)
    studio.skins = g.skin_model(studio, a.notes.with_name("skin.npz"))
    d.write(studio, a.out, a.seed)


def train_frames(a: argparse.Namespace) -> None:
    from . import frames
    from .crops import CropSet

    torch.manual_seed(a.seed)
    sets = [CropSet(a.set / n) for n in ("portraits-train", "stills-train", "clips-train")]
    mixture = frames.Mixture(sets, [a.real, (1 - a.real) * 0.65, (1 - a.real) * 0.35], a.seed)
    validation = {n: CropSet(a.set / n) for n in ("portraits-val", "stills-val")}
    frames.train(_frame_model(), mixture, validation, a.run, steps=10**9, batch=a.batch, lr=a.lr, budget=a.minutes * 60)


def cache(a: argparse.Namespace) -> None:
    from . import cache as c

    model = _frame_model()
    c.load_average(model, a.run / "last.pt")
    for folder in sorted(a.set.iterdir()):
        c.write(model, folder, a.run / "features")
    c.write(model, a.set / "portraits-train", a.run / "features", repeats=a.repeats)


def train_windows(a: argparse.Namespace) -> None:
    from . import cache as c, losses, windows
    from .edge import EdgeModel

    torch.manual_seed(a.seed)
    model, source = EdgeModel(), a.run / "features"
    frame = _frame_model()
    c.load_average(frame, a.run / "last.pt")
    model.backbone.load_state_dict(frame.backbone.state_dict())
    windows.start_from(model, frame.head)
    clips = windows.FeatureSet(source, "clips-train")
    stills = [windows.FeatureSet(source, n) for n in ("stills-train", "portraits-train-augmented")]
    frequency = losses.frequencies(clips.labels >= 0.3)
    validation = [windows.FeatureSet(source, f"{n}-val") for n in ("clips", "stills", "portraits")]
    windows.train(model, windows.Sampler(clips, stills, a.seed), validation, a.out, a.minutes * 60, beta=a.beta, frequency=frequency)


def export(a: argparse.Namespace) -> None:
    from . import report

    test = report.export(a.run, a.set, a.out, a.version, json.loads(a.training.read_text()) if a.training else {})
    print(report.members(test), report.table(test), sep="\n\n")


def evaluate(a: argparse.Namespace) -> None:
    from . import export as exporting
    from . import report

    limits = np.array(list(json.loads((a.model / "model.json").read_text())["thresholds"].values()))
    test = report.evaluate(exporting.load(a.model), a.set, a.split, limits)
    print(report.members(test), report.table(test), sep="\n\n")


def table2(a: argparse.Namespace) -> None:
    from . import paper, table2 as t

    recipe = paper.Recipe(
        preset=a.preset, window=a.window, batch=a.batch, epochs=a.epochs, lr=a.lr, restart=a.restart, beta=a.beta, gamma=a.gamma, seed=a.seed
    )
    f1 = t.run(a.row, a.data, a.run, recipe, a.pretrained, causal=a.smoothing == "causal")
    print(f"{a.row}: macro-F1 {f1:.4f}")


def _frame_model():
    from .edge import EDGE, RegNet
    from .frames import FrameModel

    return FrameModel(RegNet(EDGE["stem"], EDGE["depths"], EDGE["widths"], EDGE["groupWidth"]), EDGE["widths"][-1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m austream_training", description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch; 0 takes one per core")
    commands = parser.add_subparsers(required=True)

    def command(run, *arguments: tuple[str, dict]) -> None:
        p = commands.add_parser(run.__name__.replace("_", "-"))
        for name, options in arguments:
            p.add_argument(f"--{name}", **({"required": "default" not in options} | options))
        p.set_defaults(run_command=run)

    path, number, real = {"type": Path}, {"type": int}, {"type": float}
    kit = [("facekit", path), ("portraits", path)]
    notes = ("notes", path | {"help": "what annotate wrote"})
    command(annotate, *kit, ("landmarker", path), ("out", path))
    command(
        generate, *kit, notes, ("set", path), ("people", number | {"default": 700}), ("invented", number | {"default": 260}),
        ("each", number | {"default": 26}), ("clips", number | {"default": 120}), ("workers", number | {"default": 2}), ("seed", number | {"default": 1}),
    )
    command(demo, *kit, notes, ("out", path), ("seed", number | {"default": 106}))
    command(
        train_frames, ("set", path), ("run", path), ("minutes", real), ("batch", number | {"default": 64}), ("lr", real | {"default": 2e-3}),
        ("real", real | {"default": 0.22, "help": "share of photographs"}), ("seed", number | {"default": 1}),
    )
    command(cache, ("set", path), ("run", path), ("repeats", number | {"default": 6}))
    command(
        train_windows, ("run", path), ("out", path), ("minutes", real), ("seed", number | {"default": 0}),
        ("beta", real | {"default": 0.0, "help": "of Robin Hood label smoothing"}),
    )
    command(
        export, ("run", path | {"help": "of train-windows"}), ("set", path), ("out", path), ("version", {}),
        ("training", path | {"default": None, "help": "JSON on data and licences, kept in model.json"}),
    )
    command(evaluate, ("model", path), ("set", path), ("split", {"default": "test"}))
    command(
        table2, ("row", {"choices": ["regnet-vit", "nguyen", "kfold", "smoothing", "ensemble"]}), ("data", path | {"help": "Aff-Wild2's root"}),
        ("run", path), ("pretrained", path | {"default": None, "help": "ImageNet weights of regnety_004"}),
        ("preset", {"choices": ["paper", "paper-compact"], "default": "paper-compact"}), ("window", number | {"default": 256}),
        ("batch", number | {"default": 4}), ("epochs", number | {"default": 20}), ("lr", real | {"default": 0.9}),
        ("restart", number | {"default": 5}), ("beta", real | {"default": 0.1}), ("gamma", real | {"default": 2.0}), ("seed", number | {"default": 0}),
        ("smoothing", {"choices": ["causal", "centered"], "default": "centered"}),
    )
    a = parser.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    a.run_command(a)


if __name__ == "__main__":
    main()

"""Command line of the training: python -m austream_training <command> --help."""

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
    usable = notes.pop("found") & (portraits.eye_distance(notes["points"]) >= a.least)
    if not usable.any():
        raise SystemExit(f"no face with {a.least} pixels between the eyes in the *.jpg of {a.portraits}")
    if not usable.all():
        print(f"skipped, no face or a smaller one: {', '.join(notes['files'][~usable])}")
    notes = {k: v if k == "names" else v[usable] for k, v in notes.items()} | {"train_only": np.array(a.train_only)}
    names, bias = list(notes["names"]), None
    for _ in range(2):  # the second round corrects for the difference of the two landmark definitions
        fits = [
            portraits.fit(kit, points, portraits.kit_weights(kit, names, shapes), bias)
            for points, shapes in zip(notes["points"], notes["shapes"])
        ]
        bias = np.column_stack([np.mean([f["residual"] for f in fits], 0), np.zeros(68)])
    np.savez(a.out, **notes, **{f"fit_{k}": np.stack([f[k] for f in fits]) for k in fits[0]})
    print(f"{len(fits)} of {len(files)} portraits, landmarks fitted to {np.mean([f['error'] for f in fits]):.3f} cm")


def generate(a: argparse.Namespace) -> None:
    from .synthetic import generate as g

    paths = (a.facekit, a.portraits, a.notes)
    for split in a.splits:
        k, share = g.SPLITS.index(split), 1.0 if split == "train" else a.held_share
        count = lambda n: round(n * share)  # noqa: E731
        g.write("stills", split, a.set, paths, count(a.people), count(a.invented), a.each, a.seed + k, a.workers, fair=a.fair)
        if not a.fair:
            g.write_portraits(split, a.set, paths)
            if split == "test":
                g.write("sizes", split, a.set, paths, 60, 20, 4 * len(g.SIZES), a.seed + 30, a.workers)
        if split == "train":
            g.write("sparse", split, a.set, paths, round(a.sparse * 0.7), round(a.sparse * 0.3), g.WINDOW // g.STRIDE, a.seed + 20, a.workers, g.STRIDE, a.fair)
        clips = a.clips if split == "train" else a.held_clips
        g.write("clips", split, a.set, paths, round(clips * 0.7), round(clips * 0.3), g.WINDOW, a.seed + 10 + k, a.workers, fair=a.fair)


def demo(a: argparse.Namespace) -> None:
    from .synthetic import dataset, demo as d, generate as g

    studio = dataset.Studio.open(a.facekit, a.portraits, a.notes)
    studio.skins = g.skin_model(studio, a.notes.with_name("skin.npz"))
    d.write(studio, a.out, a.seed)


def train_frames(a: argparse.Namespace) -> None:
    from . import export as exporting, frames
    from .crops import CropSet

    torch.manual_seed(a.seed)
    model = frames.FrameModel()
    if a.init:
        model.edge.load_state_dict(exporting.load(a.init).state_dict())
        frames.disable_temporal(model.edge)
    rest = 1 - a.real
    shares = {"portraits-train": a.real, "stills-train": rest * 0.55, "sparse-train": rest * 0.38, "clips-train": rest * 0.07}
    found = {n: [s / n for s in a.set if (s / n / "labels.npy").is_file()] for n in shares}
    chosen = [(folder, shares[n] / len(folders)) for n, folders in found.items() for folder in folders]
    mixture = frames.Mixture([CropSet(folder) for folder, _ in chosen], [share for _, share in chosen], a.seed)
    validation = {n: CropSet(a.set[0] / n) for n in ("portraits-val", "stills-val")}
    frames.train(model, mixture, validation, a.run, steps=10**9, batch=a.batch, lr=a.lr, budget=a.minutes * 60, compiled=a.compile)


def mean(a: argparse.Namespace) -> None:
    from . import cache as c

    c.mean(a.runs, a.out)


def cache(a: argparse.Namespace) -> None:
    from . import cache as c
    from .frames import FrameModel
    from .windows import STRIDE, WINDOW

    model, out = FrameModel(), a.run / "embeddings"
    c.load_average(model, a.run / "last.pt")
    for name in ("clips-test", "clips-val", "stills-val", "portraits-val"):
        c.write(model, a.set[0] / name, out)
    kinds = {
        "clips-train": {},
        "sparse-train": {"repeats": a.repeats, "track": WINDOW // STRIDE, "share": a.share},
        "stills-train": {"repeats": a.repeats, "share": a.share},
        "portraits-train": {"repeats": 2 * a.repeats},
    }
    for k, folder in enumerate(a.set):
        for name, options in kinds.items():
            if (folder / name / "labels.npy").is_file():
                c.write(model, folder / name, out / str(k), **options)


def train_windows(a: argparse.Namespace) -> None:
    from . import report, windows

    model = windows.train_members(a.run, a.out, a.threads, a.seed, seconds=a.minutes * 60, lr=a.lr, beta=a.beta, stray=a.stray, init=a.init)
    source = a.run / "embeddings"
    for s in (windows.EmbeddingSet(source, n) for n in ("clips-val", "stills-val", "portraits-val")):
        for member, p in windows.predict(model, s).items():
            print(f"  {s.name} {member}: macro-F1 and AUC {report.headline(s.truth, p)}", flush=True)


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


def report(a: argparse.Namespace) -> None:
    from . import field, page, real
    from .synthetic.dataset import held

    with np.load(a.notes) as z:
        files, points = z["files"], z["points"]
    finder = real.Finder(a.landmarker)
    people = {part: held(len(files), part) for part in ("val", "test")}
    photos = real.read([a.portraits / str(files[i]) for i in np.concatenate(list(people.values()))], finder)
    clips = {f.stem: real.read([f], finder) for f in a.clips}
    tones = field.tones(a.portraits, files, points, people["test"])
    sexes = field.sexes(a.sexes, files, people["test"]) if a.sexes else {}
    page.write(a.model, a.set, a.fair, a.embeddings, photos, clips, tones, sexes, a.out)


def crop(a: argparse.Namespace) -> None:
    from . import real

    finder = real.Finder(a.landmarker)
    for file in sorted(f for f in a.videos.iterdir() if f.is_file()):
        count = real.write_crops(file, a.out / "cropped_aligned" / a.name.format(file.stem), finder)
        print(f"{file.name}: {count} crops", flush=True)


def table2(a: argparse.Namespace) -> None:
    from . import paper, table2 as t

    recipe = paper.Recipe(
        preset=a.preset, window=a.window, batch=a.batch, epochs=a.epochs, lr=a.lr, restart=a.restart, beta=a.beta, gamma=a.gamma, seed=a.seed
    )
    f1 = t.run(a.row, a.data, a.run, recipe, a.pretrained, causal=a.smoothing == "causal", layout=a.layout, workers=a.workers)
    print(f"{a.row}: macro-F1 {f1:.4f}")


def export_table2(a: argparse.Namespace) -> None:
    from . import export as exporting

    print(exporting.write_paper(a.run, a.out, a.name, a.version))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m austream_training", description=__doc__)
    parser.add_argument("--threads", type=int, default=0, help="PyTorch threads; 0: one per core")
    commands = parser.add_subparsers(required=True)

    def command(run, *arguments: tuple[str, dict]) -> None:
        p = commands.add_parser(run.__name__.replace("_", "-"))
        for name, options in arguments:
            p.add_argument(f"--{name.replace('_', '-')}", **({"required": "default" not in options} | options))
        p.set_defaults(run_command=run)

    path, number, real = {"type": Path}, {"type": int}, {"type": float}
    kit = [("facekit", path), ("portraits", path)]
    notes = ("notes", path | {"help": "output of annotate"})
    command(
        annotate, *kit, ("landmarker", path), ("out", path), ("least", real | {"default": 24.0, "help": "minimum pixels between the eyes"}),
        ("train_only", {"action": "store_true", "default": False, "help": "hold out none of these people"}),
    )
    command(
        generate, *kit, notes, ("set", path), ("people", number | {"default": 1000}), ("invented", number | {"default": 400}),
        ("each", number | {"default": 16, "help": "stills per head"}), ("sparse", number | {"default": 400, "help": "clips with every fourth frame rendered"}), ("clips", number | {"default": 20}),
        ("held_clips", number | {"default": 120}), ("held_share", real | {"default": 0.08, "help": "held-out stills as a share of the training stills"}),
        ("workers", number | {"default": 2}), ("seed", number | {"default": 1}), ("splits", {"nargs": "+", "default": ["test", "val", "train"]}),
        ("fair", {"action": "store_true", "default": False, "help": "a set of well-placed cameras"}),
    )
    command(demo, *kit, notes, ("out", path), ("seed", number | {"default": 106}))
    command(
        train_frames, ("set", path | {"nargs": "+", "help": "data sets; validation uses the first one's people"}), ("run", path), ("minutes", real), ("init", path | {"default": None, "help": "a model directory to start from"}),
        ("batch", number | {"default": 64}), ("lr", real | {"default": 1.5e-3}),
        ("real", real | {"default": 0.22, "help": "share of photographs"}), ("seed", number | {"default": 1}),
        ("compile", {"action": "store_true", "default": False, "help": "use torch.compile: starts minutes later, then faster"}),
    )
    command(mean, ("runs", path | {"nargs": "+", "help": "runs of train-frames with a common origin of their weights"}), ("out", path | {"help": "the run to write, with the mean of their weights"}))
    command(cache, ("set", path | {"nargs": "+", "help": "the sets of train-frames, and clips of heads outside them"}), ("run", path), ("repeats", number | {"default": 1, "help": "augmented views of each training crop"}), ("share", real | {"default": 1.0, "help": "share of the training heads"}))
    command(
        train_windows, ("run", path), ("out", path), ("minutes", real), ("seed", number | {"default": 0}),
        ("init", path | {"default": None, "help": "a model directory whose temporal layers to start from"}), ("lr", real | {"default": 1e-3}), ("beta", real | {"default": 0.0, "help": "β of Robin Hood label smoothing"}),
        ("stray", real | {"default": 0.0, "help": "maximum shift of a moving face's embeddings towards other faces"}),
    )
    command(
        export, ("run", path | {"help": "a run of train-windows"}), ("set", path | {"nargs": "+", "help": "data sets: calibrates on the validation people of all, evaluates on the test people of the first"}), ("out", path), ("version", {}),
        ("training", path | {"default": None, "help": "JSON about data and licences, stored in model.json"}),
    )
    command(evaluate, ("model", path), ("set", path), ("split", {"default": "test"}))
    command(
        report, ("model", path), ("set", path), ("fair", path | {"help": "a set of well-placed cameras"}), ("embeddings", path | {"help": "output of cache"}), ("portraits", path), notes, ("landmarker", path),
        ("clips", path | {"nargs": "+", "help": "videos of real faces"}), ("sexes", path | {"default": None, "help": "CSV: bioguide (a portrait's name), gender (F or M)"}), ("out", path),
    )
    command(
        crop, ("videos", path), ("landmarker", path), ("out", path), ("name", {"default": "{}", "help": "folder name per video; {} is the file's stem"}),
    )
    command(
        table2, ("row", {"choices": ["regnet-vit", "nguyen", "kfold", "smoothing", "ensemble"]}), ("data", path | {"help": "root of Aff-Wild2, DISFA or BP4D"}),
        ("layout", {"choices": ["abaw", "disfa", "bp4d"], "default": "abaw"}),
        ("run", path), ("pretrained", path | {"default": None, "help": "ImageNet weights of regnety_004"}),
        ("preset", {"choices": ["paper", "paper-compact"], "default": "paper-compact"}), ("window", number | {"default": 256}),
        ("batch", number | {"default": 4, "help": "windows per step, over all processes"}), ("workers", number | {"default": 4, "help": "data loading processes, per process"}), ("epochs", number | {"default": 20}), ("lr", real | {"default": 0.9}),
        ("restart", number | {"default": 5}), ("beta", real | {"default": 0.1}), ("gamma", real | {"default": 2.0}), ("seed", number | {"default": 0}),
        ("smoothing", {"choices": ["causal", "centered"], "default": "centered"}),
    )
    command(export_table2, ("run", path | {"help": "output of table2"}), ("out", path), ("name", {"default": "austream-paper"}), ("version", {}))
    a = parser.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    a.run_command(a)


if __name__ == "__main__":
    main()

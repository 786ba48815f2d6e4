"""The demo clip: one invented head (no real person, not in any training set) with a known AU script, 640×360.

Writes raw RGB frames to GStreamer (x264) and the ground truth as CSV: frame, time, au01 … au26 intensities.
"""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import numpy as np

from . import dataset, head, moods
from .aus import NAMES, TABLE

WIDTH, HEIGHT, FPS = 640, 360, 25
# (start s, onset s, hold s, offset s, {AU: intensity})
SCRIPT = [
    (1.5, 0.5, 1.4, 0.7, {"au12": 0.9, "au06": 0.8}),
    (4.6, 0.3, 1.0, 0.5, {"au01": 0.9, "au02": 0.9}),
    (6.9, 0.4, 1.2, 0.5, {"au04": 0.9, "au07": 0.6}),
    (9.4, 0.4, 1.0, 0.5, {"au26": 0.8}),
    (11.8, 0.4, 1.0, 0.5, {"au15": 0.9, "au01": 0.7, "au04": 0.4}),
    (14.2, 0.3, 1.0, 0.4, {"au24": 0.9}),
    (16.2, 0.3, 0.9, 0.4, {"au10": 0.8}),
    (18.2, 0.4, 1.6, 0.8, {"au12": 1.0, "au06": 0.9, "part": 0.9}),
    (21.2, 0.25, 0.9, 0.5, {"au01": 0.9, "au02": 0.9, "au26": 0.7, "au05": 0.5}),
]
SECONDS = 24


def frames(studio: dataset.Studio, seed: int):
    """Yields (picture (360, 640, 3) uint8, intensities (12,))."""
    rng = np.random.default_rng(seed)
    look = studio.invented(rng)
    n = SECONDS * FPS
    acts = {k: np.zeros(n, np.float32) for k in TABLE}
    for start, onset, hold, offset, aus in SCRIPT:
        for au, peak in aus.items():
            acts[au] = np.maximum(acts[au], peak * moods.bump(n, start, onset, hold, offset, FPS))
    for t in (0.8, 3.9, 6.3, 9.0, 13.7, 17.6, 20.8, 23.2):
        acts["au45"] = np.maximum(acts["au45"], moods.bump(n, t, 0.08, 0.03, 0.12, FPS))
    sway = [moods.slow_noise(n, FPS, s, 2.5, rng) for s in (1.5, 4.0, 1.0, 0.25, 0.15)]
    light = {"direction": np.array([0.25, 0.4, 0.88], np.float32), "ambient": 0.55, "colour": np.full(3, 1.15, np.float32), "distance": 80.0}
    big = WIDTH * head.SUPERSAMPLE
    ramp = np.linspace(0, 1, big, dtype=np.float32)
    look.backdrop = (np.array([70, 84, 98]) + 30 * ramp[:, None, None] - 25 * ramp[None, :, None]).astype(np.float32)
    scale = 12.0  # pixels per centimetre: a face about 200 px high
    for t in range(n):
        side = {k: float(v[t]) for k, v in acts.items() if v[t] > 0}
        place = np.array([[scale, 0, WIDTH / 2 + 12 * sway[3][t]], [0, scale, WIDTH / 2 + 8 + 12 * sway[4][t]]])
        turn = head.rotation(sway[0][t], sway[1][t], sway[2][t])
        image, apart, _ = head.render(studio.kit, look, studio.rig.weights(side), turn, light, canvas=WIDTH, place=place)
        top = (WIDTH - HEIGHT) // 2
        image = image[top : top + HEIGHT] + rng.normal(0, 1.5, (HEIGHT, WIDTH, 1))
        label = np.array([side.get(k, 0.0) for k in NAMES], np.float32)
        label[NAMES.index("au25")] = apart
        yield np.clip(image, 0, 255).astype(np.uint8), label


def write(studio: dataset.Studio, out: Path, seed: int, kilobits: int = 400) -> None:
    out.mkdir(parents=True, exist_ok=True)
    pipe = (
        f"fdsrc fd=0 ! rawvideoparse format=rgb width={WIDTH} height={HEIGHT} framerate={FPS}/1 ! videoconvert ! "
        f"x264enc bitrate={kilobits} speed-preset=slow key-int-max={2 * FPS} ! h264parse ! "
        f"mp4mux faststart=true ! filesink location={out / 'clip.mp4'}"
    )
    with (out / "truth.csv").open("w", newline="") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow(["frame", "time", *NAMES])
        process = subprocess.Popen(["gst-launch-1.0", "-q", *pipe.split()], stdin=subprocess.PIPE)
        for t, (image, label) in enumerate(frames(studio, seed)):
            process.stdin.write(image.tobytes())
            rows.writerow([t, f"{t / FPS:.2f}", *(f"{v:.3f}" for v in label)])
        process.stdin.close()
        if process.wait() != 0:
            raise RuntimeError("gst-launch-1.0 failed: x264enc needs gstreamer1.0-plugins-ugly, mp4mux -good")

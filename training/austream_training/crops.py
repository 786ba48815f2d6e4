"""Data augmentation: stored canvases (144×144 around the 112×112 crop) → network input."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from . import labels
from .synthetic import camera

SIZE, CANVAS = 112, 144
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
SKIN = np.array([1.18, 0.96, 0.82], np.float32)  # colour factors that turn grey into lit skin

# permutation of the 68 landmarks in a mirrored face
_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36]
    + [41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)


class CropSet:
    """One folder written by synthetic.generate. Labels are intensities (N, 12); weights (N, 12) are their trust, 0…1."""

    def __init__(self, folder: Path):
        self.crops = np.load(folder / "crops.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy")
        self.groups = np.load(folder / "groups.npy")
        self.marks = np.load(folder / "marks.npy")
        self.real = folder.name.startswith("portraits")
        self.weights = np.load(folder / "trust.npy")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def truth(self) -> np.ndarray:
        return labels.truth(self.labels, self.weights, self.real)

    def centre(self, index: np.ndarray) -> np.ndarray:
        """Unaugmented crops (n, 112, 112, 3) uint8."""
        m = (CANVAS - SIZE) // 2
        return np.stack([self.crops[i][m : m + SIZE, m : m + SIZE] for i in index])

    def augmented(self, i: int, rng: np.random.Generator, view: dict | None = None) -> tuple[np.ndarray, np.ndarray]:
        """One crop shifted, rotated, scaled, mirrored and recoloured by `view` (random by default), and its landmarks in
        −1…1 of the crop. A real photo also gets simulated camera degradation."""
        view = view or draw_view(rng)
        image, marks = np.asarray(self.crops[i]), self.marks[i]
        if self.real and rng.random() < 0.85:
            image = camera.shoot(image.astype(np.float32), camera.draw_optics(rng), rng)
        c, s = np.cos(view["angle"]) * view["scale"], np.sin(view["angle"]) * view["scale"]
        if view["mirror"]:
            image = image[:, ::-1]
            marks = marks[_MIRROR] * [-1, 1] + [CANVAS - 1, 0]
        move = np.array([[c, -s, 0], [s, c, 0]])
        move[:, 2] = SIZE / 2 + view["shift"] - move[:, :2] @ [CANVAS / 2, CANVAS / 2]
        image = cv2.warpAffine(np.ascontiguousarray(image), move, (SIZE, SIZE), borderMode=cv2.BORDER_CONSTANT)
        out = (image.astype(np.float32) * view["gain"] + view["lift"]) * view["white"]
        if view["warmth"] and is_greyscale(out):
            out = out * SKIN ** view["warmth"]
        marks = (marks @ move[:, :2].T + move[:, 2]) / (SIZE / 2) - 1
        return np.clip(out, 0, 255), marks.astype(np.float32)


def is_greyscale(crop: np.ndarray) -> bool:
    """Whether the face in a crop (112, 112, 3) has no skin colour, as in old photographs and under infrared light."""
    colour = crop[30:90, 25:87].mean((0, 1))
    return colour[0] - colour[2] < 0.12 * colour.mean()


def draw_view(rng: np.random.Generator) -> dict:
    """Random augmentation of a track: alignment errors, exposure and colour."""
    return {
        "angle": np.radians(rng.normal(0, 3.5)),
        "scale": np.exp(rng.normal(0, 0.075)),
        "mirror": rng.random() < 0.5,
        "shift": rng.normal(0, 2.5, 2),
        "gain": rng.uniform(0.8, 1.2),
        "lift": rng.uniform(-15, 15),
        "white": np.exp(rng.normal(0, 0.04, 3)).astype(np.float32),
        "warmth": rng.uniform(0.3, 1.1) if rng.random() < 0.6 else 0.0,  # colourises grey faces, since most faces have colour
    }


def jitter_view(view: dict, rng: np.random.Generator) -> dict:
    """The view of the same track in the next frame: keypoints jitter between detections."""
    return view | {
        "angle": view["angle"] + np.radians(rng.normal(0, 0.5)),
        "scale": view["scale"] * np.exp(rng.normal(0, 0.01)),
        "shift": view["shift"] + rng.normal(0, 0.6, 2),
    }


def normalise(crops: np.ndarray) -> np.ndarray:
    """(n, 112, 112, 3) 0…255 → (n, 3, 112, 112) ImageNet-normalised float32."""
    return np.ascontiguousarray(((crops.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2))

"""Expression lines of the skin: forehead, glabella, crow's feet, nasolabial fold. The mesh is too coarse for them, and on
real faces they distinguish a raised brow from a high one.

A crease is a curve on the neutral head (centimetres, x ≥ 0 for the subject's left half, mirrored for the right) that
darkens with the AUs that fold the skin there. People differ: smooth skin shows few, old skin keeps some at rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from . import raster
from .facekit import FACE_VERTICES, FaceKit

# (control points of a quadratic curve, {AU: share}, number of parallel curves, offset between them)
_Curve = tuple[tuple[tuple[float, float], ...], dict[str, float], int, tuple[float, float]]
_CURVES: tuple[_Curve, ...] = (
    (((0.0, 7.3), (0.9, 7.2), (2.0, 7.5)), {"au01": 1.0}, 3, (0.0, 0.85)),
    (((1.6, 7.4), (3.2, 8.1), (4.8, 7.2)), {"au02": 1.0}, 3, (0.0, 0.8)),
    (((0.4, 4.7), (0.42, 5.6), (0.62, 6.6)), {"au04": 1.0, "au09": 0.5}, 2, (0.45, 0.1)),
    (((0.0, 4.35), (0.4, 4.32), (0.75, 4.5)), {"au09": 1.0, "au04": 0.45}, 1, (0.0, 0.0)),
    (((0.5, 3.3), (0.9, 2.9), (1.35, 2.9)), {"au09": 1.0, "au10": 0.2}, 2, (0.05, -0.55)),
    (((5.0, 3.4), (5.6, 3.5), (6.3, 3.8)), {"au06": 1.0, "au07": 0.15}, 3, (0.0, -0.4)),
    (((2.0, 2.7), (3.3, 2.25), (4.6, 2.75)), {"au07": 0.8, "au06": 0.6}, 1, (0.0, 0.0)),
    (((2.1, 2.3), (3.4, 1.7), (5.0, 2.4)), {"au06": 0.9}, 1, (0.0, 0.0)),
    (((1.45, -0.3), (2.1, -0.7), (2.6, -1.6)), {"au10": 1.0, "au09": 0.7, "au12": 0.7}, 1, (0.0, 0.0)),
    (((2.6, -1.6), (3.1, -2.3), (3.35, -3.4)), {"au12": 1.0, "au10": 0.4, "au06": 0.2}, 1, (0.0, 0.0)),
    (((3.1, -2.9), (3.3, -3.4), (3.2, -3.9)), {"au14": 1.0, "au12": 0.3, "au24": 0.2}, 1, (0.0, 0.0)),
    (((2.6, -3.9), (2.95, -4.5), (3.0, -5.3)), {"au15": 1.0, "au17": 0.2}, 1, (0.0, 0.0)),
    (((0.0, -5.3), (0.8, -5.3), (1.5, -5.6)), {"au17": 1.0, "au24": 0.45, "au15": 0.25}, 1, (0.0, 0.0)),
    (((0.45, -1.7), (0.5, -2.0), (0.55, -2.35)), {"au23": 0.8, "au18": 0.8, "au24": 0.4}, 2, (0.55, -0.05)),
)
_POINTS = 12
_SHOWN = 0.15  # depth tolerance of a visible point, centimetres


@dataclass
class Skin:
    """Maps points of the frontal plane to the nearest vertices of the neutral mesh."""

    vertices: np.ndarray
    tree: cKDTree

    @staticmethod
    def of(kit: FaceKit) -> "Skin":
        facing = raster.normals(kit.neutral, kit.triangles)[:FACE_VERTICES, 2] > 0.1
        vertices = np.flatnonzero(facing)
        return Skin(vertices, cKDTree(kit.neutral[vertices, :2]))

    def at(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """xy (n, 2) → vertices (n, 4) and their shares (n, 4)."""
        far, near = self.tree.query(xy, 4)
        share = 1 / (far + 1e-3)
        return self.vertices[near], (share / share.sum(1, keepdims=True)).astype(np.float32)


@dataclass
class Creases:
    """One person's creases: per curve its vertices and shares (n, 4), AUs, face half, and depths at rest and at full
    strength."""

    curves: list[tuple[np.ndarray, np.ndarray, dict[str, float], bool, float, float]]
    softness: float

    @staticmethod
    def draw_person(skin: Skin, rng: np.random.Generator) -> "Creases":
        most = rng.uniform(0, 0.2) if rng.random() < 0.25 else rng.uniform(0.25, 1)
        aged = rng.uniform(0.1, 0.6) if rng.random() < 0.25 else 0.0
        t = np.linspace(0, 1, _POINTS)[:, None]
        out = []
        for control, aus, count, step in _CURVES:
            depth, rest = most * rng.uniform(0.4, 1), aged * rng.uniform(0, 1)
            place = rng.normal(0, 0.12, 2)
            for k in range(count):
                if k and rng.random() < 0.3:
                    continue
                bend = rng.normal(0, 0.07, (3, 2))
                a, b, c = np.array(control) + np.array(step) * k * rng.uniform(0.8, 1.2) + place + bend
                curve = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
                for left in (True, False):
                    xy = curve * [1 if left else -1, 1] + rng.normal(0, 0.03, curve.shape)
                    side = rng.uniform(0.8, 1.2)
                    out.append((*skin.at(xy), aus, left, rest * side, depth * side))
        return Creases(out, float(rng.uniform(0.7, 1.6)))

    def draw(self, image: np.ndarray, screen: np.ndarray, depth: np.ndarray, left: dict[str, float], right: dict[str, float]) -> None:
        """Shades image (n, n, 3) float32 in place. `screen` (V, 3) pixels and `depth` (n, n): as for `raster.draw`. `left`,
        `right`: AU intensities of both face halves."""
        n = len(image)
        ink = np.zeros((n, n), np.uint8)
        for vertices, shares, aus, is_left, rest, full in self.curves:
            acts = left if is_left else right
            strength = rest + full * min(sum(share * max(acts.get(k, 0.0), 0) for k, share in aus.items()), 1) ** 1.2
            if strength < 0.05:
                continue
            points = np.einsum("nkd,nk->nd", screen[vertices], shares)
            x, y = np.clip(points[:, :2].astype(int), 0, n - 1).T
            shown = points[:, 2] >= depth[y, x] - _SHOWN
            for k in range(_POINTS - 1):
                if shown[k] and shown[k + 1]:
                    taper = np.sin(np.pi * (k + 1) / _POINTS) ** 0.5
                    a, b = (tuple(int(v) for v in np.round(points[i, :2] * 16)) for i in (k, k + 1))
                    cv2.line(ink, a, b, float(min(255, 255 * strength * taper)), 2, cv2.LINE_AA, 4)
        if ink.any():
            dark = cv2.GaussianBlur(ink.astype(np.float32) / 255, (0, 0), self.softness)
            lit = cv2.GaussianBlur(dark, (0, 0), 2 * self.softness)  # skin bulges beside a fold
            image *= np.clip(1 - 0.75 * dark + 0.3 * lit, 0.3, 1.2)[..., None]

"""Action Units as ICT-FaceKit blendshapes: this table defines every synthetic label.

An AU's intensity is in 0…1 (FACS trace … maximum). Shape names ending in `_` stand for the left and the right shape. AU23
(lip tightener) has no shape: it combines pressed, rolled and narrowed lips, and is the least certain of the twelve. AU25
is not set but measured on the rendered mesh (`lips_apart`), because FACS codes it whenever the lips part.

Weights above 1 extrapolate the scanned shapes, because people's brows, lids and lips move further than the kit's. They
were measured with an independent landmark model (MediaPipe's) on renders of twelve heads at full intensity. AU7 narrows
the eye by a third (from 0.33 to 0.22 of its width); up to 0.6.0 by a fifth, less than AU6 narrows it. AU23 reduces the
lips' height and width by 0.08 of an eye's width each (before: 0.04 and 0.03).
"""

from __future__ import annotations

import numpy as np

from .facekit import FaceKit

AUS = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
NAMES = tuple(f"au{a:02d}" for a in AUS)

# AU → {shape: weight at full intensity}
TABLE: dict[str, dict[str, float]] = {
    "au01": {"browInnerUp_": 1.6},
    "au02": {"browOuterUp_": 1.4},
    "au04": {"browDown_": 1.5},
    "au06": {"cheekRaiser_": 0.9, "cheekSquint_": 0.9, "eyeSquint_": 0.45},
    "au07": {"eyeSquint_": 1.6, "eyeBlink_": 0.35},
    "au10": {"mouthUpperUp_": 0.8, "noseSneer_": 0.25},
    "au12": {"mouthSmile_": 1.0},
    "au15": {"mouthFrown_": 1.7},
    "au23": {"mouthPress_": 0.4, "mouthRollLower": 0.8, "mouthRollUpper": 0.8, "mouthPucker": 1.0},
    "au24": {"mouthPress_": 1.6, "mouthRollLower": 0.5, "mouthRollUpper": 0.5, "mouthShrugLower": 0.15},
    "au26": {"jawOpen": 0.5},
    # Distractors: other AUs, speech, gaze and blinks; no label.
    "au05": {"eyeWide_": 1.0},
    "au09": {"noseSneer_": 1.0, "browDown_": 0.15},
    "au14": {"mouthDimple_": 0.9},
    "au17": {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.3},
    "au18": {"mouthPucker": 0.9},
    "au20": {"mouthStretch_": 0.9},
    "au22": {"mouthFunnel": 0.9},
    "au27": {"jawOpen": 0.9},
    "part": {"mouthLowerDown_": 0.6, "mouthUpperUp_": 0.2, "jawOpen": 0.05},  # lips part without the jaw
    "au45": {"eyeBlink_": 1.0},
    "puff": {"cheekPuff_": 0.8},
    "jawl": {"jawLeft": 0.5},
    "jawr": {"jawRight": 0.5},
    "mouthl": {"mouthLeft": 0.6},
    "mouthr": {"mouthRight": 0.6},
}

# AU → landmarks of the region in which it shows (68-point scheme)
_BROWS, _LIDS, _CHEEKS, _MOUTH = range(17, 27), range(36, 48), (1, 2, 14, 15, 40, 41, 46, 47), range(48, 68)
SHOWN: dict[str, tuple[int, ...]] = {
    **{n: tuple(_BROWS) for n in ("au01", "au02", "au04")},
    "au06": _CHEEKS,
    "au07": tuple(_LIDS),
    **{n: tuple(_MOUTH) for n in ("au10", "au12", "au15", "au23", "au24", "au25", "au26")},
}

# Inner-lip landmark pairs (upper, lower) of the 68-point scheme.
_LIPS = ((61, 67), (62, 66), (63, 65))
_FULL_GAP = 0.9  # lip distance in centimetres at full intensity of AU25
_REST_GAP = 0.12


class Rig:
    """Converts AU intensities to blendshape weights of one kit."""

    def __init__(self, kit: FaceKit):
        self.kit = kit
        self.keys = tuple(TABLE)
        self.left = np.zeros((len(TABLE), len(kit.names)), np.float32)
        self.right = np.zeros_like(self.left)
        for row, shapes in enumerate(TABLE.values()):
            for shape, weight in shapes.items():
                if shape.endswith("_"):
                    self.left[row, kit.index(shape + "L")] = weight
                    self.right[row, kit.index(shape + "R")] = weight
                else:
                    self.left[row, kit.index(shape)] = weight / 2
                    self.right[row, kit.index(shape)] = weight / 2

    def weights(self, left: dict[str, float], right: dict[str, float] | None = None) -> np.ndarray:
        """AU intensities of the two face halves → shape weights (E,), clipped to 0…1.7."""
        right = left if right is None else right
        l = np.array([left.get(k, 0.0) for k in self.keys], np.float32)
        r = np.array([right.get(k, 0.0) for k in self.keys], np.float32)
        return np.clip(l @ self.left + r @ self.right, 0, 1.7)


def lips_apart(landmarks: np.ndarray, rest: np.ndarray) -> float:
    """Intensity of AU25 from the distance of the inner lips; landmarks and rest (68, 3), centimetres."""
    def gap(points: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(points[a] - points[b]) for a, b in _LIPS]))

    return float(np.clip((gap(landmarks) - gap(rest) - _REST_GAP) / (_FULL_GAP - _REST_GAP), 0, 1))

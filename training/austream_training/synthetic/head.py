"""One synthetic head (shape, skin, eyes, source of its colours) and its rendering."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import raster
from .aus import lips_apart
from .creases import Creases
from .facekit import EYE, FACE_VERTICES, GUMS, TEETH, FaceKit

SKIN_VERTICES = 11248  # face, head and neck; mouth and eye sockets follow
SOCKETS = slice(11248, 14062)
# Aligned-crop template at 112 px (eyes, nose tip, mouth centre); the canvas is larger to leave room for augmentation.
TEMPLATE = np.array([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [56.14, 92.28]], np.float32)
CANVAS, MARGIN, SUPERSAMPLE = 144, 16, 2


@dataclass
class Look:
    """The properties of a head that do not change with its expression."""

    rest: np.ndarray  # (V, 3) neutral shape, centimetres
    colour: np.ndarray  # (V, 3) RGB 0…255
    photo: np.ndarray | None = None  # (h, w, 3) float32 RGB: textured skin
    uv: np.ndarray | None = None  # (V, 2) pixels of `photo`
    source_normals: np.ndarray | None = None  # of the fitted head, to remove the photo's shading
    backdrop: np.ndarray | None = None  # (canvas·2)² × 3
    keypoints: np.ndarray | None = None  # (4, 2) of the photo, when it supplies the backdrop
    photo_eyes: bool = True  # the photo's eyes instead of painted ones
    creases: Creases | None = None


def eye_colours(kit: FaceKit, colour: np.ndarray, iris: np.ndarray, white: np.ndarray) -> None:
    """Paints sclera, iris and pupil into colour (V, 3) by the angle from the eyeball's axis."""
    for span in (slice(21451, 23021), slice(23021, 24591)):
        ball = kit.neutral[span]
        centre = (ball.min(0) + ball.max(0)) / 2
        centre[2] = ball[:, 2].min() + (ball[:, 0].max() - ball[:, 0].min()) / 2  # the cornea bulges
        ray = ball - centre
        axis = np.degrees(np.arctan2(np.hypot(ray[:, 0], ray[:, 1]), ray[:, 2]))
        radius = np.hypot(ray[:, 0], ray[:, 1])
        colour[span] = white - np.clip(axis[:, None] / 60, 0, 1.5) * 35
        colour[span][radius < 0.57] = iris
        colour[span][radius < 0.21] = 12
        rim = (radius > 0.50) & (radius < 0.58)
        colour[span][rim] = iris * 0.5


def paint(kit: FaceKit, skin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vertex colours (V, 3) from `skin` (SKIN_VERTICES, 3), and random eyes, teeth and gums."""
    colour = np.zeros((len(kit.neutral), 3), np.float32)
    colour[:SKIN_VERTICES] = skin
    tone = skin[:FACE_VERTICES].mean(0)
    colour[SOCKETS] = tone * [0.45, 0.28, 0.26]
    colour[kit.part == GUMS] = np.array([150, 70, 70]) * rng.uniform(0.5, 0.9)
    colour[kit.part == TEETH] = np.array([225, 215, 195]) * rng.uniform(0.7, 1.0)
    # Darker with depth in the mouth.
    inside = (kit.part == TEETH) | (kit.part == GUMS)
    depth = np.clip((kit.neutral[inside, 2] - 5) / 5.5, 0.1, 1)
    colour[inside] *= depth[:, None]
    iris = np.array([[70, 45, 28], [95, 62, 35], [80, 110, 135], [95, 110, 80], [50, 32, 22]])[rng.integers(5)]
    shade = np.clip(tone.mean() / 190, 0.55, 1.05)
    eye_colours(kit, colour, iris * rng.uniform(0.6, 1.1), np.array([222, 215, 210]) * shade)
    return colour


def keypoints(xy: np.ndarray) -> np.ndarray:
    """68 landmarks (x, y) → eyes, nose tip, mouth centre (4, 2), image left eye first."""
    return np.stack([xy[36:42].mean(0), xy[42:48].mean(0), xy[30], xy[[48, 54]].mean(0) * 0.5 + xy[60:68].mean(0) * 0.5])


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares similarity (2, 3) from source (n, 2) to target (n, 2)."""
    a, b = source - source.mean(0), target - target.mean(0)
    norm = (a**2).sum()
    c, s = (a * b).sum() / norm, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / norm
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack([linear, target.mean(0) - linear @ source.mean(0)])


def rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Degrees → (3, 3); x, then y, then z."""
    (a, b, c), (d, e, f) = np.cos(np.radians([pitch, yaw, roll])), np.sin(np.radians([pitch, yaw, roll]))
    x = np.array([[1, 0, 0], [0, a, -d], [0, d, a]])
    y = np.array([[b, 0, e], [0, 1, 0], [-e, 0, b]])
    z = np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]])
    return (z @ y @ x).astype(np.float32)


def render(
    kit: FaceKit,
    look: Look,
    weights: np.ndarray,
    turn: np.ndarray,
    light: dict,
    jitter: np.ndarray | None = None,
    canvas: int = CANVAS,
    place: np.ndarray | None = None,
    acts: tuple[dict[str, float], dict[str, float]] = ({}, {}),
) -> tuple[np.ndarray, float, np.ndarray]:
    """Renders a head: shape weights (E,), rotation `turn` (3, 3), light {direction (3,), ambient, colour (3,), distance}.

    The picture is aligned like a crop, by its keypoints plus `jitter` (4, 2) pixels at 112 px, unless `place` (2, 3)
    maps head-camera centimetres to canvas pixels. `acts`: AU intensities of the left and the right half, which drive
    the creases. Returns picture (canvas, canvas, 3) float32 0…255,
    AU25's intensity, landmarks (68, 2) in canvas pixels.
    """
    active = np.flatnonzero(weights > 1e-3)
    shape = look.rest + np.tensordot(weights[active], kit.expression[active], 1)
    apart = lips_apart(shape[kit.landmarks], look.rest[kit.landmarks])
    normal = raster.normals(shape, kit.triangles) @ turn.T
    xyz = shape @ turn.T
    xyz = xyz * (light["distance"] / (light["distance"] - xyz[:, 2:]))
    flat = xyz[:, :2] * [1, -1]
    marks = flat[kit.landmarks]
    big = canvas * SUPERSAMPLE
    if place is None:
        points = keypoints(marks)
        goal = TEMPLATE + MARGIN + (0 if jitter is None else jitter)
        place = similarity(points, goal)
    place = place * SUPERSAMPLE + np.array([[0, 0, 0.5], [0, 0, 0.5]]) * (SUPERSAMPLE - 1)
    screen = np.empty((len(flat), 3), np.float32)
    screen[:, :2] = flat @ place[:, :2].T + place[:, 2]
    screen[:, 2] = xyz[:, 2]
    if look.backdrop is not None:
        image = look.backdrop.copy()
    else:
        move = similarity(look.keypoints, keypoints(screen[kit.landmarks, :2]))
        image = cv2.warpAffine(look.photo, move, (big, big), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    gain = _shade(normal, light)
    if look.source_normals is not None:
        # The photo contains its own shading: only the change is applied, limited to a plausible range.
        ratio = gain[:SKIN_VERTICES] / _shade(look.source_normals[:SKIN_VERTICES], light["source"])
        gain[:SKIN_VERTICES] = np.clip(ratio, 0.65, 1.3)
    textured = np.zeros(len(flat), bool)
    if look.photo is not None:
        textured[:SKIN_VERTICES] = True
        if look.photo_eyes:
            textured[kit.part == EYE] = True
    depth = np.full((big, big), -1e9, np.float32)
    uv = look.uv if look.uv is not None else screen[:, :2]
    photo = look.photo if look.photo is not None else np.zeros((2, 2, 3), np.float32)
    raster.draw(
        screen, kit.triangles, look.colour, gain.astype(np.float32), uv.astype(np.float32), photo, textured, image, depth
    )
    if look.creases is not None:
        look.creases.draw(image, screen, depth, *acts)
    if SUPERSAMPLE > 1:
        image = cv2.resize(image, (canvas, canvas), interpolation=cv2.INTER_AREA)
        place = (place - np.array([[0, 0, 0.5], [0, 0, 0.5]]) * (SUPERSAMPLE - 1)) / SUPERSAMPLE
    return image, apart, marks @ place[:, :2].T + place[:, 2]


def _shade(normal: np.ndarray, light: dict) -> np.ndarray:
    """Lambertian shading (V, 3) with a soft terminator and some sky light."""
    toward = normal @ light["direction"]
    diffuse = np.clip((toward + 0.3) / 1.3, 0, None)[:, None] * light["colour"]
    return light["ambient"] * (0.8 + 0.2 * normal[:, 1:2]) + (1 - light["ambient"]) * diffuse


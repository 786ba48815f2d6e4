"""Frames and clips with exact labels as arrays: crops (N, 144, 144, 3), intensities (N, 12) and trust (N, 12)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from . import camera, facekit, head, moods, portraits, props, raster, weak
from .aus import NAMES, SHOWN, Rig
from .creases import Creases, Skin

_MOST_POSE = np.array([35.0, 58.0, 25.0])  # degrees of pitch, yaw, roll
_KEEP = ("jaw", "mouth", "cheek", "eyeSquint", "noseSneer")
_SHUT = 0.6  # AU45 intensity from which AU7 is not visible
_OWN = [NAMES.index(n) for n in ("au01", "au02", "au04")]  # AUs that follow the script when a portrait keeps its mouth


@dataclass
class Studio:
    """The face kit, the fitted portraits and a statistical skin model of the training people."""

    kit: facekit.FaceKit
    rig: Rig
    skin: Skin
    folder: Path
    notes: dict[str, np.ndarray]
    weak: np.ndarray
    skins: tuple[np.ndarray, np.ndarray] | None = None  # mean (S·3), components (K, S·3) scaled by their standard deviation
    spread: float = 0.0  # amount of random variation of portraits' head shapes and skin tones

    @staticmethod
    def open(kit_folder: Path, portrait_folder: Path, notes_file: Path) -> "Studio":
        kit = facekit.load(kit_folder)
        with np.load(notes_file) as z:
            notes = {k: z[k] for k in z.files}
        labels = weak.intensities(list(notes["names"]), notes["shapes"], notes["points"])
        return Studio(kit, Rig(kit), Skin.of(kit), portrait_folder, notes, labels)

    def split(self, part: str) -> np.ndarray:
        people = len(self.notes["files"])
        if self.notes.get("train_only"):
            return np.arange(people if part == "train" else 0)
        return held(people, part)

    def portrait(self, i: int, rng: np.random.Generator) -> head.Look:
        """A person's photo as the texture of their fitted head."""
        fitted = {k[4:]: v[i] for k, v in self.notes.items() if k.startswith("fit_")}
        points = self.notes["points"][i]
        photo = portraits.read(self.folder / str(self.notes["files"][i]))
        kit = self.kit
        rest = (kit.neutral + np.tensordot(fitted["identity"], kit.identity, 1)).astype(np.float32)
        source = rest + np.tensordot(fitted["expression"], kit.expression, 1).astype(np.float32)
        uv = portraits.texture_coordinates(kit, fitted, points)
        if self.spread:  # vary head shape and skin tone: more people than photos
            stray = rng.normal(0, self.spread * rng.random(), len(kit.identity)).astype(np.float32)
            rest = rest + np.tensordot(stray, kit.identity, 1)
            tone = rng.uniform(0.5, 1) if rng.random() < 0.4 else 1.0
            photo = photo * np.array([tone, tone**1.12, tone**1.2], np.float32)
        ij = np.clip(uv[: head.SKIN_VERTICES].astype(int), 0, [photo.shape[1] - 1, photo.shape[0] - 1])
        return head.Look(
            rest=rest,
            colour=head.paint(kit, photo[ij[:, 1], ij[:, 0]], rng),
            photo=photo,
            uv=uv,
            source_normals=(raster.normals(source, kit.triangles) @ fitted["rotation"].T).astype(np.float32),
            keypoints=head.keypoints(points[portraits.IBUG]),
            photo_eyes=bool(rng.random() < 0.75),
        )

    def learn_skin(self, people: np.ndarray, components: int = 60) -> None:
        """Computes principal components of people's vertex colours, from which new skins are drawn."""
        rows = []
        for i in people:
            if abs(portraits.euler(self.notes["fit_rotation"][i])[1]) > 12:
                continue
            fitted = {k[4:]: v[i] for k, v in self.notes.items() if k.startswith("fit_")}
            photo = cv2.GaussianBlur(portraits.read(self.folder / str(self.notes["files"][i])), (0, 0), 0.7)
            uv = portraits.texture_coordinates(self.kit, fitted, self.notes["points"][i])[: head.SKIN_VERTICES]
            sample = cv2.remap(photo, uv[None, :, 0], uv[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            rows.append(sample.reshape(-1))
        data = np.array(rows, np.float32)
        mean = data.mean(0)
        u, s, vt = np.linalg.svd(data - mean, full_matrices=False)
        self.skins = mean, (vt[:components] * (s[:components, None] / np.sqrt(len(data)))).astype(np.float32)

    def invented(self, rng: np.random.Generator) -> head.Look:
        """An invented head: random identity shape, random skin from the statistical model, random backdrop."""
        mean, basis = self.skins
        skin = (mean + (rng.normal(0, 0.9, len(basis)).astype(np.float32) @ basis)).reshape(-1, 3)
        tone = rng.uniform(0.4, 1.15)
        skin = np.clip(skin * tone * np.array([1, tone**0.12, tone**0.2]), 3, 255)
        skin += rng.normal(0, rng.uniform(0, 4), (len(skin), 1))
        alpha = np.clip(rng.normal(0, 0.8, len(self.kit.identity)), -2, 2).astype(np.float32)
        rest = (self.kit.neutral + np.tensordot(alpha, self.kit.identity, 1)).astype(np.float32)
        return head.Look(rest, head.paint(self.kit, skin, rng), backdrop=backdrop(rng, head.CANVAS * head.SUPERSAMPLE))


def held(people: int, part: str) -> np.ndarray:
    """Indices of a split's people. A fifth is held out, half of it for validation. Splits are disjoint."""
    i = np.arange(people)
    order = np.random.default_rng(7).permutation(i)
    slot = np.empty_like(i)
    slot[order] = i % 10
    return i[{"train": slot < 8, "val": slot == 8, "test": slot == 9}[part]]


def backdrop(rng: np.random.Generator, size: int) -> np.ndarray:
    """Random background: blobs, edges and gradients of random colours."""
    image = rng.uniform(0, 255, (int(rng.integers(2, 7)), int(rng.integers(2, 7)), 3)).astype(np.float32)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_NEAREST)
    return np.clip(image * rng.uniform(0.3, 1) + rng.uniform(0, 60), 0, 255)


def draw_light(rng: np.random.Generator, change: float = 1.0) -> dict:
    def toward(spread: float) -> np.ndarray:
        d = np.array([rng.normal(0, spread), 0.35 + rng.normal(0, spread * 0.7), 0.9])
        return (d / np.linalg.norm(d)).astype(np.float32)

    ambient = float(rng.uniform(0.35, 0.8))
    plain = {"direction": toward(0.15), "ambient": 0.6, "colour": np.ones(3, np.float32)}
    return {
        "direction": toward(0.6 * change),
        "ambient": ambient,
        "colour": np.exp(rng.normal(0, 0.05, 3)).astype(np.float32) * rng.uniform(0.9, 1.3),
        "distance": float(rng.choice([45.0, 70.0, 120.0, 300.0])),
        "source": plain,
    }


def draw_spread(rng: np.random.Generator, fair: bool = False) -> float:
    """Random standard deviation of yaw in degrees: mostly frontal, often well turned away."""
    return float(rng.choice([7.0, 14.0, 26.0], p=[0.5, 0.5, 0] if fair else [0.35, 0.35, 0.3]))


def visible(covered: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Visibility of AUs (12,): 0 when most of an AU's landmarks are `covered` (n, n), else 1; landmarks (68, 2)."""
    x, y = np.clip(np.round(marks).astype(int), 0, len(covered) - 1).T
    there = covered[y, x]
    return np.array([there[list(SHOWN[n])].mean() < 0.6 for n in NAMES], np.float32)


class Actor:
    """One head in front of one camera: constant look, light, optics, props, AU strengths and rest face. `fair`: a
    well-placed camera: near, sharp, evenly lit, without occlusions other than clear glasses."""

    def __init__(self, studio: Studio, person: int | None, rng: np.random.Generator, fair: bool = False):
        self.studio, self.rng, self.person, self.fair = studio, rng, person, fair
        self.look = studio.invented(rng) if person is None else studio.portrait(person, rng)
        self.look.creases = Creases.draw_person(studio.skin, rng)
        self.draw_surroundings()
        self.strength = {k: float(rng.uniform(0.7, 1.15)) for k in studio.rig.keys}
        kit = studio.kit
        self.base = np.zeros(len(kit.names), np.float32)
        self.base_label, self.trust = np.zeros(12, np.float32), np.ones(12, np.float32)
        self.turn = np.eye(3, dtype=np.float32)
        self.aim = rng.normal(0, 0.8, (4, 2)).astype(np.float32)
        self.keeps = False
        if person is not None:
            self.turn = studio.notes["fit_rotation"][person]
            # Many portraits keep the photo's mouth (mostly a smile) with the teacher's labels.
            self.keeps = bool(rng.random() < 0.4) and not fair
            if self.keeps:
                kept = np.array([n.startswith(_KEEP) for n in kit.names])
                self.base = np.where(kept, studio.notes["fit_expression"][person], 0).astype(np.float32)
                self.base_label = studio.weak[person].copy()
                self.base_label[_OWN] = 0
                self.trust = np.where(np.isin(np.arange(12), _OWN), 1, weak.WEIGHT).astype(np.float32)

    def draw_surroundings(self) -> None:
        """Draws new light, camera and props, and for half of the portraits a new background: behind a turned head the photo
        would show the original face."""
        rng = self.rng
        if self.fair:
            self.light, self.optics, self.props = draw_light(rng, 0.5), camera.draw_fair_optics(rng), props.draw_glasses(rng)
        else:
            self.light, self.optics, self.props = draw_light(rng), camera.draw_optics(rng), props.draw(rng)
        if self.person is not None:
            self.look.backdrop = backdrop(rng, head.CANVAS * head.SUPERSAMPLE) if rng.random() < 0.5 else None

    def frame(
        self, left: dict, right: dict, pose: tuple[float, float, float], gaze: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """→ crop (144, 144, 3) uint8, intensities (12,) and trust in them (12,), landmarks (68, 2) in canvas pixels."""
        s, kit = self.studio, self.studio.kit
        # The label is the visible effect: people differ in how far a muscle moves their skin.
        left, right = ({k: v * self.strength[k] for k, v in side.items()} for side in (left, right))
        weights = np.clip(s.rig.weights(left, right) + self.base, 0, 1.7)
        for name, value in (("In", gaze[0]), ("Out", -gaze[0])):
            weights[kit.index(f"eyeLook{name}_L")] = max(0.0, value)
            weights[kit.index(f"eyeLook{'Out' if name == 'In' else 'In'}_R")] = max(0.0, value)
        for side in "LR":
            weights[kit.index(f"eyeLookUp_{side}")] = max(0.0, gaze[1])
            weights[kit.index(f"eyeLookDown_{side}")] = max(0.0, -gaze[1])
        turn = head.rotation(*pose) @ self.turn
        jitter = self.aim + self.rng.normal(0, 0.35, (4, 2))
        image, apart, marks = head.render(kit, self.look, weights, turn.astype(np.float32), self.light, jitter, acts=(left, right))
        covered = props.place(image, marks, self.props)
        image = camera.shoot(image, self.optics, self.rng)
        label = np.array([(left.get(n, 0) + right.get(n, 0)) / 2 for n in NAMES], np.float32)
        label[NAMES.index("au26")] = max(label[NAMES.index("au26")], 1.4 * max(left.get("au27", 0), 0))
        label = np.maximum(label, self.base_label)
        label[NAMES.index("au25")] = apart
        trust = self.trust * visible(covered, marks)
        if min(left.get("au45", 0), right.get("au45", 0)) > _SHUT:
            trust[NAMES.index("au07")] = 0
        return image, np.clip(label, 0, 1), trust, marks.astype(np.float32)


def still(studio: Studio, person: int | None, rng: np.random.Generator, count: int, sizes: tuple[int, ...] = (), fair: bool = False):
    """`count` unrelated moments of one head; with `sizes`, each moment at these canvas sizes in pixels."""
    actor = Actor(studio, person, rng, fair)
    for _ in range(count):
        apex = moods.draw(rng)
        if actor.keeps:  # upper-face AUs combined with the photo's mouth
            apex = {k: v for k, v in apex.items() if k in ("au01", "au02", "au04", "au07", "au05", "au26", "au24", "au15")}
            if actor.base_label[6] > 0.3:
                apex = {k: v for k, v in apex.items() if k not in ("au24", "au15")}
        apex |= moods.draw_distractors(rng)
        actor.aim = rng.normal(0, 1.0, (4, 2))
        left, right = moods.sides(apex, rng)
        actor.draw_surroundings()
        spread = draw_spread(rng, fair)
        pose = tuple(np.clip(rng.normal(0, [spread * 0.6, spread, 0.3 * spread]), -_MOST_POSE, _MOST_POSE))
        gaze = tuple(rng.normal(0, 0.25, 2)) if rng.random() < 0.7 else tuple(rng.uniform([-0.8, -1], 0.8))
        for size in sizes or (actor.optics["size"],):
            actor.optics["size"] = size
            yield actor.frame(left, right, pose, gaze)


def clip(studio: Studio, person: int | None, rng: np.random.Generator, length: int, stride: int = 1, fair: bool = False):
    """One head over `length` consecutive frames, of which every `stride`-th is rendered."""
    actor = Actor(studio, person, rng, fair)
    fps = float(rng.choice([15.0, 25.0, 30.0]))
    acts = moods.course(length, fps, rng)
    if actor.keeps:
        acts = {k: v if k in ("au01", "au02", "au04", "au07", "au05", "au26", "au45") else v * 0 for k, v in acts.items()}
    spread = 0.75 * draw_spread(rng, fair)
    rest = np.clip(rng.normal(0, [spread * 0.5, spread * 0.8, spread * 0.2]), -_MOST_POSE, _MOST_POSE)
    path = [moods.slow_noise(length, fps, x, 2.0, rng) for x in (spread * 0.5, spread * 0.8, spread * 0.2)]
    look = [moods.slow_noise(length, fps, 0.25, 1.0, rng) for _ in range(2)]
    look[1] = np.maximum(look[1] - moods.gaze_down_curve(length, fps, rng), -1)
    skew = {k: rng.normal(0, 0.08) for k in acts}
    hand = moods.hand_curve(length, fps, rng)
    for t in range(0, length, stride):
        if "hand" in actor.props:
            actor.props["hand"]["there"] = float(hand[t])
        left = {k: float(v[t]) * (1 + skew[k]) for k, v in acts.items() if v[t] > 0}
        right = {k: float(v[t]) * (1 - skew[k]) for k, v in acts.items() if v[t] > 0}
        pose = np.clip([r + p[t] for r, p in zip(rest, path)], -_MOST_POSE, _MOST_POSE)
        yield actor.frame(left, right, tuple(pose), (look[0][t], look[1][t]))

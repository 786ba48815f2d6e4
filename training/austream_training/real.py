"""Clips and photographs of real people as the product sees them: detected by BlazeFace and aligned by a face mesh, with
the landmark model's estimates for the same frames.

Both come from MediaPipe's face_landmarker.task. They are for evaluation only: these clips are not training data.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .crops import SIZE
from .synthetic import head, portraits, weak


@dataclass
class RealClip:
    crops: np.ndarray  # (T, 112, 112, 3) uint8, of the frames with a face
    frames: np.ndarray  # (T,) frame numbers
    fps: float
    teacher: np.ndarray  # (T, 12) the landmark model's intensities (weak.py)
    shapes: np.ndarray  # (T, 52) its blendshapes
    points: np.ndarray  # (T, 478, 2) pixels
    names: list[str]


class Finder:
    """Finds the largest face of a picture with BlazeFace; the landmark model estimates its mesh and blendshapes."""

    def __init__(self, task: Path):
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

        self.mp = mp
        detector = zipfile.ZipFile(task).read("face_detector.tflite")
        self.detector = vision.FaceDetector.create_from_options(
            vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_buffer=detector), min_detection_confidence=0.3)
        )
        self.landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(task)), output_face_blendshapes=True, num_faces=1,
                min_face_detection_confidence=0.3,
            )
        )

    def _detect(self, image: np.ndarray) -> np.ndarray | None:
        """Largest face → box (x, y, w, h), pixels."""
        found = self.detector.detect(self.mp.Image(image_format=self.mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))).detections
        if not found:
            return None
        b = max(found, key=lambda d: d.bounding_box.width).bounding_box
        return np.array([b.origin_x, b.origin_y, b.width, b.height], float)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]] | None:
        """RGB picture → aligned crop, landmarks (478, 2), blendshapes (52,) and their names; None when there is no face."""
        box = self._detect(image)
        if box is None:
            return None
        x, y, w, h = box
        side = 2.0 * max(w, h)
        scale = 512 / side
        cut = np.array([[scale, 0, 256 - (x + w / 2) * scale], [0, scale, 256 - (y + h / 2) * scale]])
        big = cv2.warpAffine(image, cut, (512, 512), flags=cv2.INTER_LINEAR)
        r = self.landmarker.detect(self.mp.Image(image_format=self.mp.ImageFormat.SRGB, data=np.ascontiguousarray(big)))
        if not r.face_landmarks:
            return None
        marks = (np.array([(p.x, p.y) for p in r.face_landmarks[0]]) * 512 - cut[:, 2]) / scale
        return (
            align(image, head.keypoints(marks[portraits.IBUG])), marks, np.array([c.score for c in r.face_blendshapes[0]]),
            [c.category_name for c in r.face_blendshapes[0]],
        )


def align(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Aligned crop as in the product: a similarity from four keypoints to the template, low-pass filtered before
    downscaling."""
    move = head.similarity(keypoints, head.TEMPLATE)
    scale = float(np.hypot(*move[0, :2]))
    if scale < 0.7:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    return cv2.warpAffine(image, move, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def write_crops(file: Path, folder: Path, finder: Finder) -> int:
    """Writes aligned crops of a video's largest face as `00001.jpg` …, numbered by frame from 1, in the format of the readers
    in data/; frames without a face are omitted. Returns the number of crops."""
    folder.mkdir(parents=True, exist_ok=True)
    clip = read([file], finder)
    for t, crop in zip(clip.frames, clip.crops):
        cv2.imwrite(str(folder / f"{t + 1:05d}.jpg"), crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    return len(clip.frames)


def _frames(video: cv2.VideoCapture):
    while (got := video.read())[0]:
        yield got[1]


def read(files: list[Path], finder: Finder) -> RealClip:
    """One video (mp4, mov, gif), or photographs one frame each, in the order given."""
    rows, fps = [], 0.0
    if len(files) == 1 and files[0].suffix.lower() not in (".jpg", ".jpeg", ".png"):
        video = cv2.VideoCapture(str(files[0]))
        fps = video.get(cv2.CAP_PROP_FPS) or 25.0
        pictures = _frames(video)
    else:
        pictures = (cv2.imread(str(f)) for f in files)
    for t, picture in enumerate(pictures):
        seen = finder(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        if seen is not None:
            rows.append((t, *seen))
    if not rows:
        raise ValueError(f"no face in {files[0]}")
    frames, crops, points, shapes, names = zip(*rows)
    shapes, points = np.stack(shapes), np.stack(points)
    return RealClip(
        np.stack(crops), np.array(frames), fps, weak.intensities(names[0], shapes, points), shapes, points, names[0]
    )

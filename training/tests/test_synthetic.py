import numpy as np
import pytest

pytest.importorskip("numba")

from austream_training import labels
from austream_training.synthetic import aus, camera, creases, dataset, head, moods, props, raster, weak


def canvas(size=32):
    return np.zeros((size, size, 3), np.float32), np.full((size, size), -1e9, np.float32)


def draw(screen, triangles, colour, image, depth, uv=None, photo=None):
    n = len(screen)
    raster.draw(
        np.asarray(screen, np.float32),
        np.asarray(triangles, np.int32),
        np.asarray(colour, np.float32),
        np.ones((n, 3), np.float32),
        np.zeros((n, 2), np.float32) if uv is None else np.asarray(uv, np.float32),
        np.zeros((2, 2, 3), np.float32) if photo is None else photo,
        np.full(n, photo is not None),
        image,
        depth,
    )


# with y down, a front face is clockwise: (0,0) → (0,20) → (20,0)
FRONT = [[4, 4], [4, 24], [24, 4]]


def test_a_triangle_covers_its_area_and_back_faces_nothing():
    image, depth = canvas()
    draw([[*p, 0] for p in FRONT], [[0, 1, 2]], np.full((3, 3), 9.0), image, depth)
    assert (image[..., 0] > 0).sum() == pytest.approx(231, abs=1)  # pixels with x + y ≤ 20 in a 21-pixel corner: 21·22/2
    image, depth = canvas()
    draw([[*p, 0] for p in FRONT], [[0, 2, 1]], np.full((3, 3), 9.0), image, depth)
    assert image.sum() == 0


def test_the_nearer_triangle_wins_in_any_order():
    screen = [*([*p, 0] for p in FRONT), *([*p, 5] for p in FRONT)]
    colour = [[1, 0, 0]] * 3 + [[0, 1, 0]] * 3
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        image, depth = canvas()
        draw(screen, order, colour, image, depth)
        assert image[8, 8].tolist() == [0, 1, 0] and depth[8, 8] == 5


def test_photo_texture_is_sampled_at_its_uv():
    photo = np.zeros((64, 64, 3), np.float32)
    photo[..., 0] = np.arange(64)[None, :]  # red = u
    photo[..., 1] = np.arange(64)[:, None]  # green = v
    image, depth = canvas()
    uv = np.array(FRONT) * 2
    draw([[*p, 0] for p in FRONT], [[0, 1, 2]], np.zeros((3, 3)), image, depth, uv, photo)
    np.testing.assert_allclose(image[7, 9], [18, 14, 0], atol=1e-3)


def test_normals_of_a_plane():
    xyz = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    np.testing.assert_allclose(raster.normals(xyz, np.array([[0, 1, 2]], np.int32)), [[0, 0, 1]] * 3, atol=1e-6)


def test_similarity_recovers_a_known_one():
    rng = np.random.default_rng(0)
    points = rng.random((4, 2)) * 100
    a = np.radians(20)
    known = np.array([[1.3 * np.cos(a), -1.3 * np.sin(a), 5], [1.3 * np.sin(a), 1.3 * np.cos(a), -7]])
    target = points @ known[:, :2].T + known[:, 2]
    np.testing.assert_allclose(head.similarity(points, target), known, atol=1e-6)


def test_courses_stay_in_range_and_lips_do_not_press_and_part():
    rng = np.random.default_rng(3)
    seen = np.zeros(len(aus.TABLE))
    for _ in range(60):
        acts = moods.course(256, 25, rng)
        seen += [acts[k].max() > 0.3 for k in aus.TABLE]
        assert all(0 <= v.min() and v.max() <= 1.1 for v in acts.values())
        pressed = np.maximum(acts["au23"], acts["au24"]) > 0.7
        assert acts["au26"][pressed].max(initial=0) < 0.05
    assert all(n > 0 for k, n in zip(aus.TABLE, seen) if k in aus.NAMES)


def test_aus_of_a_mood_correlate_and_stay_in_range():
    rng = np.random.default_rng(1)
    drawn = [a for a in (moods.draw(rng) for _ in range(6000)) if {"au01", "au02", "au05"} >= set(a) and len(a) > 1]
    pairs = np.array([(a["au01"], a["au02"]) for a in drawn if "au01" in a and "au02" in a])
    assert 0.15 < np.isclose(*pairs.T).mean() < 0.35  # a blend of both, half each
    assert 0 < pairs.min() and pairs.max() <= 1 and np.std(pairs) > 0.2


def test_a_bump_has_the_onset_apex_and_offset_it_was_given():
    b = moods.bump(100, 1.0, 0.4, 1.0, 0.8, 25)
    assert b[:26].max() == 0 and b[35] == pytest.approx(1) and b[59] == pytest.approx(1) and b[81:].max() == 0
    assert (np.diff(b[25:36]) > 0).all() and (np.diff(b[61:80]) < 0).all()


def test_the_camera_returns_the_same_size_and_a_darker_picture_with_less_gain():
    rng = np.random.default_rng(0)
    optics = camera.draw_optics(rng) | {"gain": 0.5, "gamma": 1.0, "grey": 0.0, "size": 60, "white": np.ones(3, np.float32)}
    out = camera.shoot(np.full((144, 144, 3), 200, np.float32), optics, rng)
    assert out.shape == (144, 144, 3) and out.dtype == np.uint8 and abs(out.mean() - 100) < 4


def plane_creases(count=40):
    """A person's creases on flat skin with one vertex per half centimetre, and its coordinates on a 200-pixel screen."""
    from scipy.spatial import cKDTree

    x, y = np.meshgrid(np.arange(-9, 9, 0.5), np.arange(-9, 11, 0.5))
    flat = np.stack([x.ravel(), y.ravel()], 1)
    skin = creases.Skin(np.arange(len(flat)), cKDTree(flat))
    screen = np.column_stack([flat[:, 0] * 10 + 100, 100 - flat[:, 1] * 9, np.zeros(len(flat))]).astype(np.float32)
    people = [creases.Creases.draw_person(skin, np.random.default_rng(k)) for k in range(count)]
    return people, screen


def darkened(person, screen, left, right, depth=0.0):
    image = np.full((200, 200, 3), 100, np.float32)
    person.draw(image, screen, np.full((200, 200), depth, np.float32), left, right)
    return image[..., 0].min(), image


def test_creases_follow_place_and_intensity_of_their_aus():
    people, screen = plane_creases()
    lines = [[darkened(p, screen, {"au04": a}, {"au04": a})[0] for a in (0, 0.5, 1)] for p in people]
    rest, half, full = np.array(lines).T
    assert (full <= half).all() and (half <= rest).all() and (full < 80).mean() > 0.5  # deeper folds with higher intensity
    assert 0.05 < (rest < 90).mean() < 0.45  # some people keep lines at rest
    smooth = next(p for p, r in zip(people, rest) if r == 100)
    _, image = darkened(smooth, screen, {"au01": 1.0, "au02": 1.0}, {})
    shaded = np.argwhere(image[..., 0] < 97)
    assert len(shaded) and shaded[:, 0].max() < 100 - 6.0 * 9  # a raised brow folds the forehead,
    assert shaded[:, 1].min() > 100 - 5  # on the same half only


def test_occluded_creases_are_not_drawn():
    people, screen = plane_creases()
    assert all(darkened(p, screen, {"au04": 1.0}, {"au04": 1.0}, depth=1.0)[0] == 100 for p in people)


def test_props_are_constant_and_a_hand_covers_its_target():
    marks = np.stack([np.tile(np.linspace(40, 104, 17), 4), np.repeat([60, 75, 90, 105], 17)], 1).astype(np.float32)
    blank = lambda: np.full((144, 144, 3), 120, np.float32)  # noqa: E731
    seen = set()
    for seed in range(200):
        p = props.draw(np.random.default_rng(seed), hand=0.5)
        seen |= set(p)
        first, again = blank(), blank()
        covered = props.place(first, marks, p)
        np.testing.assert_array_equal(covered, props.place(again, marks, p))
        np.testing.assert_array_equal(first, again)  # the same props in every frame
        changed = (first != 120).any(2)
        assert not (covered & ~changed).any()
        if set(p) == {"glasses"}:
            assert covered.any() == bool(p["glasses"]["dark"])  # frames and reflections do not occlude
        elif "glasses" not in p:
            np.testing.assert_array_equal(covered, changed)
        if set(p) == {"hand"}:
            x, y = np.round(marks[p["hand"]["spot"]] + p["hand"]["shift"] + np.array([np.cos(p["hand"]["angle"]), np.sin(p["hand"]["angle"])]) * 14).astype(int)
            p["hand"]["there"] = 0.0
            away = blank()
            assert not props.place(away, marks, p).any() and (away == 120).all()
            assert np.abs(first - 120).max() > 5 and np.abs(first[y - 7 : y + 8, x - 7 : x + 8] - 120).max() > 2
    assert seen == {"glasses", "fringe", "thing", "hand"}


def test_covered_aus_are_not_trusted():
    marks = np.zeros((68, 2), np.float32)
    marks[17:27], marks[36:48], marks[48:] = [70, 40], [70, 60], [70, 100]
    marks[[1, 2, 14, 15]] = [70, 80]
    covered = np.zeros((144, 144), bool)
    assert (dataset.visible(covered, marks) == 1).all()
    covered[90:] = True  # a hand in front of the mouth
    hidden = [n for n, v in zip(aus.NAMES, dataset.visible(covered, marks)) if v == 0]
    assert hidden == ["au10", "au12", "au15", "au23", "au24", "au25", "au26"]
    covered[:] = False
    covered[:50] = True  # a fringe
    assert [n for n, v in zip(aus.NAMES, dataset.visible(covered, marks)) if v == 0] == ["au01", "au02", "au04"]


def test_a_well_placed_camera_is_near_and_sharp_without_occlusions():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        optics, worn = camera.draw_fair_optics(rng), props.draw_glasses(rng)
        assert optics.keys() == camera.draw_optics(rng).keys()
        assert optics["size"] >= 96 and optics["motion"] == 0 and optics["noise"] <= 3 and optics["quality"] >= 70
        assert not worn or worn.keys() == {"glasses"} and not worn["glasses"]["dark"] and worn["glasses"]["veil"] == 0
        assert dataset.draw_spread(rng, fair=True) <= 14


def test_people_are_in_one_split_or_all_of_them_for_training():
    studio = dataset.Studio(None, None, None, None, {"files": np.arange(30)}, np.zeros((30, 12)))
    parts = [studio.split(part) for part in ("train", "val", "test")]
    assert [len(p) for p in parts] == [24, 3, 3] and sorted(np.concatenate(parts)) == list(range(30))
    studio.notes["train_only"] = np.array(True)
    assert [len(studio.split(part)) for part in ("train", "val", "test")] == [30, 0, 0]


def test_a_hand_comes_and_goes():
    there = np.array([moods.hand_curve(256, 25, np.random.default_rng(k)) for k in range(60)])
    assert there.min() >= 0 and there.max() <= 1 and (there.max(1) > 0.9).mean() > 0.8 and (there.min(1) < 0.1).mean() > 0.8
    assert np.abs(np.diff(there)).max() < 0.35


def test_weak_labels_follow_the_teacher():
    names = ["browInnerUp", "jawOpen"] + [
        n + s
        for n in ("browOuterUp", "browDown", "mouthSmile", "eyeSquint", "mouthUpperUp", "mouthFrown", "mouthPress")
        for s in ("Left", "Right")
    ]
    shapes = np.zeros((2, len(names)), np.float32)
    for side in ("Left", "Right"):
        shapes[1, names.index("mouthSmile" + side)] = 0.9
        shapes[:, names.index("browDown" + side)] = 0.6
    points = np.zeros((2, 478, 2))
    points[:, 263, 0] = 100
    out = weak.intensities(names, shapes, points)
    assert out[1, 6] == pytest.approx(0.9) and out[0, 6] == 0
    assert out[0, 2] > 0.3 and out[1, 2] == 0  # the same browDown counts for less with a smile


def test_targets_are_one_half_at_the_active_intensity():
    t = labels.targets(np.array([0, 0.1, labels.ACTIVE, 0.6, 1.0]))
    assert t[0] == 0 and t[2] == pytest.approx(0.5, abs=0.03) and t[4] > 0.99 and (np.diff(t) > 0).all()

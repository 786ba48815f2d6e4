import numpy as np
import pytest

from austream_training.data import abaw, bp4d, disfa, folds

disfa_aus = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)


def miniature(tmp_path, rows, images, name="7-60-1920x1080_left", split="Train_Set"):
    annotations = tmp_path / "AU_Detection_Challenge" / split
    annotations.mkdir(parents=True, exist_ok=True)
    (annotations / f"{name}.txt").write_text("\n".join([abaw.HEADER, *rows]) + "\n")
    crops = tmp_path / "cropped_aligned" / name
    crops.mkdir(parents=True, exist_ok=True)
    for i in images:
        (crops / f"{i:05d}.jpg").touch()
    return tmp_path


ZERO = ",".join(["0"] * 12)
ONE = "1," + ",".join(["0"] * 11)
BAD = ",".join(["0"] * 11) + ",-1"


def test_reads_the_exact_format(tmp_path):
    root = miniature(tmp_path, [ZERO, BAD, ONE, ONE, ",".join(["-1"] * 12)], [1, 2, 3, 5])
    (video,) = abaw.read(root, "train")
    assert video.frames.tolist() == [1, 3]  # 2 holds a −1, 4 has no image, 5 is all −1
    assert [f.name for f in video.files] == ["00001.jpg", "00003.jpg"]
    assert video.labels[:, 0].tolist() == [0, 1] and video.labels.shape == (2, 12)
    assert video.subject == "7-60-1920x1080"


def test_videos_without_frames_are_omitted(tmp_path):
    root = miniature(tmp_path, [BAD], [1])
    assert abaw.read(root, "train") == []


@pytest.mark.parametrize("rows", [["0,1"], [ZERO.replace("0", "2", 1)]])
def test_invalid_rows_are_rejected_with_their_line(tmp_path, rows):
    root = miniature(tmp_path, rows, [1])
    with pytest.raises(ValueError, match=":2: not 12 values"):
        abaw.read(root, "train")


def test_a_missing_split_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="Validation_Set"):
        abaw.read(tmp_path, "val")


def test_windows_cover_every_frame_and_pad_the_end(tmp_path):
    root = miniature(tmp_path, [ZERO] * 10, range(1, 11))
    (video,) = abaw.read(root, "train")
    parts = abaw.windows(video, length=4)
    assert [p.tolist() for p in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 9, 9]]


def test_folds_share_no_subject_and_cover_all():
    rng = np.random.default_rng(0)
    subjects = [f"s{i % 17}" for i in range(60)]
    labels = [(rng.random((rng.integers(50, 400), 12)) < 0.2).astype(np.uint8) for _ in subjects]
    parts = folds.by_subject(subjects, labels, 5)
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    people = [{subjects[i] for i in p} for p in parts]
    assert all(not a & b for i, a in enumerate(people) for b in people[i + 1 :])
    sizes = [sum(len(labels[i]) for i in p) for p in parts]
    assert max(sizes) < 1.6 * min(sizes)
    with pytest.raises(ValueError, match="cannot make"):
        folds.by_subject(["a", "b"], labels[:2], 5)


def test_disfa_marks_uncoded_aus(tmp_path):
    labels = tmp_path / "ActionUnit_Labels" / "SN001"
    labels.mkdir(parents=True)
    for au in disfa_aus:
        (labels / f"SN001_au{au}.txt").write_text("".join(f"{t},{(t if au == 12 else 0)}\n" for t in range(1, 5)))
    crops = tmp_path / "cropped_aligned" / "SN001"
    crops.mkdir(parents=True)
    for t in (1, 2, 4):
        (crops / f"{t:05d}.jpg").touch()
    (video,) = disfa.read(tmp_path)
    assert video.frames.tolist() == [1, 2, 4] and video.subject == "SN001"
    assert video.labels[:, 6].tolist() == [0, 1, 1]  # AU12, active from intensity 2
    assert (video.labels[:, [4, 5, 8, 9]] == -1).all() and (video.labels[:, 0] == 0).all()
    (labels / "SN001_au12.txt").write_text("1,7\n")
    with pytest.raises(ValueError, match="au12.txt:1"):
        disfa.read(tmp_path)


def test_bp4d_reads_nine_as_not_coded(tmp_path):
    codes = tmp_path / "AUCoding" / "AU_OCC"
    codes.mkdir(parents=True)
    (codes / "F001_T1.csv").write_text("0,1,2,6,12,17\n2440,0,1,1,9,0\n2441,1,0,0,1,1\n2442,1,1,1,1,1\n")
    crops = tmp_path / "cropped_aligned" / "F001_T1"
    crops.mkdir(parents=True)
    for t in (2440, 2441):
        (crops / f"{t:05d}.jpg").touch()
    (video,) = bp4d.read(tmp_path)
    assert video.subject == "F001" and video.frames.tolist() == [2440, 2441]
    assert video.labels[:, [0, 1, 3, 6]].tolist() == [[0, 1, 1, -1], [1, 0, 0, 1]]
    assert (video.labels[:, [2, 4, 5, 7, 8, 9, 10, 11]] == -1).all()
    (codes / "F001_T1.csv").write_text("0,1,2\n2440,0,3\n")
    with pytest.raises(ValueError, match="F001_T1.csv:2"):
        bp4d.read(tmp_path)

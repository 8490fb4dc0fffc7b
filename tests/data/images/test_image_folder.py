"""One's own pictures: decoded once, split without rehearsals, what is unusable named."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.config import build_data, load_config, resolve
from pipeline.data.images.decode import decode
from pipeline.data.images.image_folder import OneView
from pipeline.errors import ConfigError, DataError, PipelineError


def data(root: Path, *overrides: str, path: str = "shapes") -> Any:
    chosen = [f"data.path={path}", "data.batch_size=8", "data.in_shape=[3,16,16]", *overrides]
    return build_data(resolve(load_config("model=cnn", "data=image_folder", *chosen, root=root)), root / "data")


def names(module: Any, split: str) -> set[str]:
    module.setup()
    return {module.prepared.names[row] for row in module.splits[split][0].tolist()}


def test_a_folder_and_an_archive_of_it_are_the_same_data_and_the_classes_are_counted(shapes: Path) -> None:
    root = shapes.parent
    with tarfile.open(root / "shapes.tar.gz", "w:gz") as archive:
        archive.add(shapes, "shapes")
    shutil.make_archive(str(root / "zipped"), "zip", shapes)
    one, other, third = (data(root, path=path) for path in ("shapes", "shapes.tar.gz", "zipped.zip"))
    assert one.describe().rows == other.describe().rows == third.describe().rows
    assert one.digest() == third.digest()
    assert one.labels == ("cross", "disc", "square")
    assert one.classes == 3
    for ours, theirs in ((one, other), (one, third)):
        for split in ("train", "val", "test"):
            for (a, x), (b, y) in zip(ours.batches(split), theirs.batches(split), strict=True):
                assert torch.equal(a, b)
                assert torch.equal(x, y)


def test_the_folds_test_each_picture_once_every_class_in_proportion(shapes: Path) -> None:
    tested: list[str] = []
    for fold in range(4):
        module = data(shapes.parent, "data.folds=4", f"data.fold={fold}")
        splits = {split: names(module, split) for split in ("train", "val", "test")}
        assert sum(map(len, splits.values())) == len(set.union(*splits.values())) == 36
        for split in ("val", "test"):
            counts = torch.bincount(module.splits[split][1], minlength=3)
            assert counts.min() > 0
            assert counts.max() - counts.min() <= 1
        tested += splits["test"]
    assert len(tested) == len(set(tested)) == 36


@pytest.mark.parametrize("fold", range(4))
def test_near_duplicates_stand_on_the_same_side(fold: int, shapes: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (4, 8, 8, 3), dtype=np.uint8)
    for number, pixels in enumerate(pictures):  # smooth, as photographs are
        picture = Image.fromarray(pixels).resize((200, 160), Image.Resampling.BICUBIC)
        picture.save(shapes / f"disc/copy{number}-same.png")
        picture.resize((90, 70)).save(shapes / f"disc/copy{number}-small.jpg", quality=60)
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(shapes / f"disc/copy{number}-mirrored.png")
    module = data(shapes.parent, "data.folds=4", f"data.fold={fold}")
    for split in ("train", "val", "test"):
        there = [name for name in names(module, split) if "copy" in name]
        for number in range(4):
            assert sum(f"copy{number}-" in name for name in there) in (0, 3)
    assert [remark for remark in module.remarks() if "8 images are near-duplicates" in remark]


def test_what_is_unusable_is_named_and_left_out(shapes: Path) -> None:
    (shapes / "disc/empty.png").write_bytes(b"")
    (shapes / "disc/words.jpg").write_text("no picture")
    shutil.copy(shapes / "disc/0.png", shapes / "disc/really_png.jpg")
    (shapes / "disc/0.png").unlink()
    (shapes / "notes.txt").write_text("mine")
    before = sorted(shapes.rglob("*"))
    module = data(shapes.parent)
    assert sum(module.describe().rows.values()) == 36
    assert list(module.remarks()) == [
        "set aside   disc/empty.png: is empty",
        "set aside   disc/words.jpg: is not an image (JPEG, PNG, WebP, GIF, BMP and TIFF are read)",
        "set aside   notes.txt: is in no class folder",
        "few         36 images are few: model=pretrained, which starts from ImageNet's weights, or more "
        "trainer.max_epochs helps",
    ]
    assert sorted(shapes.rglob("*")) == before


def test_a_class_without_a_usable_picture_is_an_error_that_says_why(shapes: Path) -> None:
    for file in (shapes / "disc").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable image in disc \(disc/0\.png is empty"):
        data(shapes.parent).describe()


def test_too_few_pictures_for_the_folds_is_an_error_that_names_the_class(shapes: Path) -> None:
    for number in range(3, 12):
        (shapes / f"disc/{number}.png").unlink()
    with pytest.raises(DataError, match="at least 5 different images of disc to split, got 3"):
        data(shapes.parent).describe()


def test_a_fold_that_there_is_not_is_refused(shapes: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.fold: expected 0 to 4, as data\.folds is 5; got 5"):
        data(shapes.parent, "data.fold=5")


@pytest.mark.parametrize("path", ["nowhere", "empty"])
def test_a_path_without_classes_is_one_clear_error(path: str, project: Path) -> None:
    (project / "empty").mkdir()
    with pytest.raises(PipelineError, match=f"{path}: expected a folder") as error:
        data(project, path=path)
    assert "\n" not in str(error.value)


def test_pictures_are_decoded_once_and_a_damaged_cache_is_made_anew(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data(shapes.parent)
    expected = torch.cat([inputs for inputs, _ in first.batches("train")])
    decoded: list[str] = []

    def watched(content: bytes, name: str, in_shape: tuple[int, ...]) -> Any:
        decoded.append(name)
        return decode(content, name, in_shape)

    monkeypatch.setattr("pipeline.data.images.prepared.decode", watched)
    again = data(shapes.parent)
    assert torch.equal(torch.cat([inputs for inputs, _ in again.batches("train")]), expected)
    assert not decoded
    (array,) = (shapes.parent / ".cache/pictures").glob("*/array.npy")
    array.write_bytes(array.read_bytes()[:-1] + b"\x00\x01")
    mended = data(shapes.parent)
    assert torch.equal(torch.cat([inputs for inputs, _ in mended.batches("train")]), expected)
    assert len(decoded) == 36
    assert json.loads((array.parent / "manifest.json").read_text()).keys() == {"array.npy", "index.json"}


def test_one_more_picture_is_in_one_split(shapes: Path) -> None:
    data(shapes.parent).setup()
    shutil.copy(shapes / "disc/1.png", shapes / "disc/one_more.png")
    assert sum("disc/one_more.png" in names(data(shapes.parent), split) for split in ("train", "val", "test")) == 1


def test_a_single_picture_is_read_as_those_that_were_learned_from(shapes: Path) -> None:
    module = data(shapes.parent)
    module.setup()
    row = module.splits["test"][0][0]
    torch.testing.assert_close(
        module.read(shapes / module.prepared.names[row]), module.inputs("test", [0]), rtol=0, atol=0
    )
    with pytest.raises(DataError, match=r"nothing\.png: .*Give a JPEG or PNG"):
        module.read(shapes / "nothing.png")


def test_what_a_frozen_net_makes_of_pictures_is_computed_once_for_each_net_and_way_of_decoding(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def views(images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        means = images.mean(dim=(2, 3))
        return torch.stack([means, -means], dim=1)

    for digest, decoding in (("one net", 1), ("one net", 1), ("another", 1), ("one net", 2)):
        monkeypatch.setattr("pipeline.data.images.image_folder.DECODING", decoding)
        module = data(shapes.parent)
        module.use_frozen_features(views, digest)
        views_BV, labels = next(iter(module.batches("test")))
        torch.testing.assert_close(views_BV[:, 0], module.inputs("test", range(len(labels))).mean(dim=(2, 3)))
        assert torch.equal(views_BV[:, 1], -views_BV[:, 0])
        batch = module.on_after_batch_transfer(next(iter(module.train_dataloader())), 0)
        assert batch[0].shape == (8, 1, 3)
        assert {bool(sign) for sign in batch[0][:, 0, 0] > 0} == {True, False}  # one view or the other
    assert asked == [1, 36] * 3


def test_a_frozen_net_refuses_pictures_that_change(shapes: Path) -> None:
    module = data(
        shapes.parent, "data.augment={_target_: pipeline.data.images.photo_augment.PhotoAugment, min_area: 0.5}"
    )
    with pytest.raises(ConfigError, match=r"data\.augment: features of a frozen net are computed once"):
        module.use_frozen_features(lambda images: images[:, None], "net")


def test_one_view_is_chosen_by_the_numbers_drawn() -> None:
    views = torch.arange(6.0).view(3, 2, 1)
    assert OneView()(views, torch.tensor([0.1, 0.9, 0.4])).flatten().tolist() == [0, 3, 4]

"""Image folders: classes from names, pixels as Pillow shows them, and every bad picture named."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from limbeck.data.loader import TrainingBatches, evaluation_batches
from limbeck.data.open import open_source
from limbeck.data.prefetch import decodes, read_ahead
from limbeck.data.subset import Subset, concat, without_labels
from limbeck.data.view_ops import Flip
from limbeck.data.views import Views
from limbeck.errors import DataError


def picture(seed, mode="RGB", size=(6, 5)):
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for index, name in enumerate(["dog/b.png", "dog/a.png", "cat/deep/er/c.png", "cat/a.PNG", "emu/e.png"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(index).save(root / name, "PNG")
    (root / "cat" / "notes.txt").write_text("not an image")
    (root / "cat" / ".hidden.png").write_text("not an image")
    (root / ".cache").mkdir()
    return root


def test_a_class_is_a_subfolder(photos):
    source = open_source(photos, split="train")
    assert source.name == "photos/train"
    assert tuple(source.classes) == ("cat", "dog", "emu")
    files = [source.path_of(row).relative_to(photos).as_posix() for row in range(len(source))]
    assert files == ["cat/a.PNG", "cat/deep/er/c.png", "dog/a.png", "dog/b.png", "emu/e.png"]
    assert source.labels.tolist() == [0, 0, 1, 1, 2]
    assert str(source.spec) == "uint8 image, 3 x 5 x 6"
    for row, seed in enumerate([3, 2, 1, 0, 4]):
        assert np.array_equal(source.read(np.array([row]))[0], np.asarray(picture(seed)).transpose(2, 0, 1))


def test_ids_survive_moving_and_growing(photos, tmp_path):
    before = open_source(photos, split="train")
    known = {before.paths[row]: before.ids[row] for row in range(len(before))}
    picture(9).save(photos / "cat" / "0.png")
    photos.rename(tmp_path / "elsewhere")
    after = open_source(tmp_path / "elsewhere", split="train", name="photos")
    grown = {after.paths[row]: after.ids[row] for row in range(len(after))}
    assert set(grown) - set(known) == {"cat/0.png"}
    assert all(grown[path] == example for path, example in known.items())


def test_images_without_folders_are_unlabelled(tmp_path):
    for index in range(3):
        picture(index, "L").save(tmp_path / f"{index}.png")
    source = open_source(tmp_path, split="train", name="loose")
    assert (source.labels == -1).all()
    assert source.spec.shape == (1, 5, 6)


def test_unlabelled_takes_every_image_wherever_it_lies(photos):
    picture(9).save(photos / "loose.png")
    source = open_source(photos, split="unlabelled", classes=["cat", "dog"])
    assert len(source) == 6
    assert (source.labels == -1).all()


def test_a_parent_of_splits_is_entered(photos, tmp_path):
    root = tmp_path / "all"
    root.mkdir()
    photos.rename(root / "train")
    inside, direct = open_source(root, split="train"), open_source(root / "train", split="train")
    assert inside.name == direct.name == "all/train"
    assert np.array_equal(inside.ids, direct.ids)
    with pytest.raises(DataError, match=r"no folder for 'test' among train"):
        open_source(root, split="test")


def test_classes_follow_trainings_order_and_names(photos):
    source = open_source(photos, split="test", classes=["emu", "dog", "cat"])
    assert source.labels.tolist() == [2, 2, 1, 1, 0]
    with pytest.raises(DataError, match="'emu' have examples here"):
        open_source(photos, split="test", classes=["cat", "dog"])


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pictures_have_one_channel(tmp_path, mode):
    image = picture(0, "L").convert(mode)
    image.save(tmp_path / "a.png")
    source = open_source(tmp_path, split="unlabelled")
    assert source.spec.shape == (1, 5, 6)
    assert np.array_equal(source.read(np.array([0]))[0, 0], np.asarray(image.convert("L")))


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK"])
def test_other_pictures_have_three(tmp_path, mode):
    image = picture(0).convert(mode)
    image.save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    source = open_source(tmp_path, split="unlabelled")
    assert np.array_equal(source.read(np.array([0]))[0], np.asarray(image.convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize("size", [None, (4, 4)])
def test_grey_and_coloured_pictures_are_not_mixed_unasked(tmp_path, size):
    picture(0, "L").save(tmp_path / "a.png")
    picture(1, "L").save(tmp_path / "b.png")
    picture(2).save(tmp_path / "c.png")
    with pytest.raises(DataError, match=r"a\.png is grey, c\.png in colour; give data\.channels: 3"):
        open_source(tmp_path, split="unlabelled", size=size)
    source = open_source(tmp_path, split="unlabelled", size=size, channels=3)
    assert source.spec.shape == (3, *(size or (5, 6)))
    assert len(source.read(np.arange(3))) == 3


def test_transparent_palettes_are_read_without_a_warning(tmp_path):
    image = picture(0).quantize(8)
    image.save(tmp_path / "a.png", transparency=bytes([0, 100, 255]))
    source = open_source(tmp_path, split="unlabelled")
    assert np.array_equal(source.read(np.array([0]))[0], np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def test_channels_can_be_chosen(photos):
    assert open_source(photos, split="train", channels=1).spec.shape == (1, 5, 6)
    grey = open_source(photos, split="train", channels=1).read(np.array([0]))[0, 0]
    assert np.array_equal(grey, np.asarray(picture(3).convert("L")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_pictures_stand_upright(tmp_path, orientation, suffix):
    wide = picture(0, "L", (32, 16)).resize((32, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide.save(tmp_path / f"a.{suffix}", exif=exif)
    source = open_source(tmp_path, split="unlabelled")
    assert source.spec.shape == ((1, 16, 32) if orientation < 5 else (1, 32, 16))
    turned = np.asarray(Image.open(tmp_path / f"a.{suffix}").convert("L"))
    turns = {
        1: turned, 2: turned[:, ::-1], 3: turned[::-1, ::-1], 4: turned[::-1], 5: turned.T, 6: np.rot90(turned, -1),
        7: np.rot90(turned, 2).T, 8: np.rot90(turned),
    }  # fmt: skip
    assert np.array_equal(source.read(np.array([0]))[0, 0], turns[orientation])


def test_several_sizes_need_one(photos):
    picture(9, size=(9, 9)).save(photos / "dog" / "z.png")
    with pytest.raises(DataError, match=r"cat/a\.PNG is 5 x 6, dog/z\.png is 9 x 9; give data\.size"):
        open_source(photos, split="train")
    source = open_source(photos, split="train", size=(4, 8))
    assert source.spec.shape == (3, 4, 8)
    assert source.read(np.arange(6)).shape == (6, 3, 4, 8)


def test_a_size_that_all_have_changes_nothing(photos):
    plain, sized = open_source(photos, split="train"), open_source(photos, split="train", size=(5, 6))
    assert plain.fingerprint() == sized.fingerprint()


def test_loose_images_beside_classes_are_refused(photos):
    picture(9).save(photos / "loose.png")
    with pytest.raises(DataError, match=r"1 images lie beside the class folders \(loose\.png"):
        open_source(photos, split="train")


def test_a_folder_without_images_says_what_it_found(tmp_path):
    (tmp_path / "readme.md").write_text("")
    with pytest.raises(DataError, match=r"no images; looked for .*\.jpg.*; found readme\.md"):
        open_source(tmp_path, split="train")


@pytest.mark.parametrize(("content", "when"), [(b"", "opening"), (b"no image at all", "opening"), (None, "reading")])
def test_broken_pictures_are_named(photos, content, when):
    bad = photos / "dog" / "a.png"
    bad.write_bytes(bad.read_bytes()[:70] if content is None else content)
    if when == "opening":
        with pytest.raises(DataError, match=r"dog/a\.png: cannot be read as an image.*replace or remove"):
            open_source(photos, split="train")
        return
    source = open_source(photos, split="train")
    for use in (source.fingerprint, lambda: list(evaluation_batches(source, 2))):
        with pytest.raises(DataError, match=r"dog/a\.png: cannot be read as an image"):
            use()


def test_a_truncated_jpeg_is_named(tmp_path):
    picture(0, size=(64, 64)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-200])
    with pytest.raises(DataError, match=r"a\.jpg: .*truncated"):
        open_source(tmp_path, split="unlabelled").fingerprint()


def test_sixteen_bits_are_not_cut_in_silence(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "a.png")
    assert (open_source(tmp_path, split="unlabelled").read(np.array([0])) == 40_000 >> 8).all()
    Image.fromarray(np.full((4, 4), 40_000, np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: .* no fixed range; save it with 8 or 16 bits"):
        open_source(tmp_path, split="unlabelled")


def test_a_picture_that_vanishes_or_changes_is_named(photos):
    source = open_source(photos, split="train")
    (photos / "emu" / "e.png").unlink()
    picture(1, size=(9, 9)).save(photos / "dog" / "b.png")
    with pytest.raises(DataError, match=r"e\.png: no such file"):
        source.read(np.array([4]))
    with pytest.raises(DataError, match=r"b\.png: \(3, 9, 9\)"):
        source.read(np.array([3]))


def test_reading_ahead_changes_nothing(photos):
    source = open_source(photos, split="train")
    assert decodes(source)
    memory = open_source((source.read(np.arange(5)), source.labels), split="train", name="photos")
    memory.ids = source.ids
    views = Views((Flip(),), 0)
    for step in (0, 3):
        drawn = [TrainingBatches(s, views=views, batch_size=4, seed=0).from_step(step) for s in (source, memory)]
        for _ in range(6):
            one, other = (next(batches) for batches in drawn)
            assert torch.equal(one.inputs, other.inputs)
            assert torch.equal(one.ids, other.ids)
        for batches in drawn:
            batches.close()


def test_reading_ahead_leaves_the_process_as_it_was(photos):
    source = open_source(photos, split="train")
    filters, state = list(warnings.filters), torch.get_rng_state()
    for _ in range(20):
        list(evaluation_batches(source, 1))
    assert warnings.filters == filters
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_made_of_folders_is_read_ahead_too(photos):
    source = open_source(photos, split="train")
    assert decodes(Subset(source, np.array([0])))
    assert decodes(without_labels(source))
    assert decodes(concat([source, open_source(photos, split="unlabelled")]))


def test_reading_ahead_is_bounded_keeps_order_and_raises_in_turn():
    taken = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield number
            number += 1

    def work(number):
        if number == 20:
            raise ValueError("twenty")
        return number * 2

    ahead = read_ahead(endless(), work)
    for number in range(20):
        assert next(ahead) == (number, number * 2)
        assert len(taken) <= number + 10
    with pytest.raises(ValueError, match="twenty"):
        next(ahead)

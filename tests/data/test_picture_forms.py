"""Pictures of every form: depth, transparency, animation, damage; and names in any script."""

import os
import struct
import sys
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image

from limbeck.data.open import open_source
from limbeck.data.prefetch import decodes
from limbeck.data.reading import Reading
from limbeck.data.source import notes_of
from limbeck.errors import DataError

DEEP = np.array([[0, 255, 256, 257], [32_767, 32_768, 65_279, 65_535]], np.uint16)
SKIP = Reading(on_corrupt="skip")


def only(folder, **wish):
    """The one picture of a folder."""
    return open_source(folder, split="unlabelled", **wish).read(np.array([0]))[0]


def noise(seed=0, shape=(6, 5, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_16_bits(values):
    """A PNG of 16 bits a channel, written by hand: Pillow writes none in colour."""
    height, width, channels = values.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(data, bits, photometric, size):
    """An uncompressed grey TIFF, written by hand."""
    tags = [
        (256, size[1]),
        (257, size[0]),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, size[0]),
    ]
    tags.append((279, len(data)))
    start = 8 + len(data) + len(data) % 2
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags)
    table = struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", start) + data + b"\0" * (len(data) % 2) + table


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grey_keeps_its_highest_bits(tmp_path, suffix):
    Image.fromarray(DEEP).save(tmp_path / f"a.{suffix}")
    assert np.array_equal(only(tmp_path), (DEEP >> 8)[None])
    assert np.array_equal(only(tmp_path, channels=3), np.repeat((DEEP >> 8)[None], 3, 0))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_pngs_are_scaled_alike_in_grey_and_colour(tmp_path, channels):
    values = np.random.default_rng(0).integers(0, 65_536, (4, 5, channels), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png_of_16_bits(values))
    assert np.array_equal(only(tmp_path), (values >> 8)[:, :, :3].transpose(2, 0, 1))


def test_what_was_8_bits_once_comes_back_exactly(tmp_path):
    shallow = noise(shape=(6, 5))
    Image.fromarray(shallow.astype(np.uint16) * 257).save(tmp_path / "a.png")
    assert np.array_equal(only(tmp_path)[0], shallow)


def test_12_bits_and_white_for_zero_are_understood(tmp_path):
    packed = bytes([0x00, 0x0F, 0xFF, 0x80, 0x01, 0x00])  # 0x000, 0xFFF, 0x800, 0x100
    (tmp_path / "a.tif").write_bytes(tiff(packed, 12, 1, (1, 4)))
    assert only(tmp_path).tolist() == [[[0, 255, 128, 16]]]
    (tmp_path / "a.tif").write_bytes(tiff(DEEP.astype("<u2").tobytes(), 16, 0, (2, 4)))
    assert np.array_equal(only(tmp_path)[0], 255 - (DEEP >> 8))


TURNS = {
    1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud, 5: np.transpose,
    6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(x, 2).T, 8: np.rot90,
}  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "options"), [("tif", {}), ("tif", {"compression": "tiff_lzw"}), ("png", {})])
@pytest.mark.parametrize("deep", [False, True])
def test_any_orientation_is_turned_upright(tmp_path, orientation, kind, options, deep):
    values = DEEP if deep else (DEEP >> 8).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / f"a.{kind}", exif=exif, **options)
    assert np.array_equal(only(tmp_path)[0], TURNS[orientation](DEEP >> 8))


def test_values_without_a_range_are_refused(tmp_path):
    Image.fromarray(np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: .* mode F.* no fixed range; save it with 8 or 16 bits, or .*\.npy"):
        only(tmp_path)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_colour_beneath_transparency_shows(tmp_path, mode):
    alpha = Image.fromarray(noise(1, (6, 5)))
    opaque = Image.fromarray(noise()).convert(mode[:-1])
    clear = opaque.copy()
    clear.putalpha(alpha)
    assert clear.mode == mode
    clear.save(tmp_path / "a.png")
    expected = np.asarray(opaque)
    assert np.array_equal(only(tmp_path), expected[None] if mode == "LA" else expected.transpose(2, 0, 1))


def test_printers_colours_become_screens(tmp_path):
    inks = noise(2, (6, 5, 4))
    image = Image.frombytes("CMYK", (5, 6), inks.tobytes())
    image.save(tmp_path / "a.tif")
    cmy, black = inks[:, :, :3].astype(np.int64), inks[:, :, 3:].astype(np.int64)
    simple = (255 - cmy) * (255 - black) / 255
    assert np.abs(only(tmp_path).transpose(1, 2, 0) - simple).max() <= 1


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_picture_is_taken(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(
        tmp_path / f"a.{suffix}",
        save_all=True,
        append_images=frames[1:],
        **options,
    )
    with Image.open(tmp_path / f"a.{suffix}") as file:
        assert file.n_frames == 3
    assert only(tmp_path)[:, 0, 0].tolist() == [255, 0, 0]


def damaged(folder):
    """Eight sound pictures of two classes, and four that are not."""
    for index in range(8):
        place = folder / "ab"[index % 2]
        place.mkdir(exist_ok=True)
        Image.fromarray(noise(index, (16, 16, 3))).save(place / f"{index}.png")
    Image.fromarray(noise(9, (64, 64, 3))).save(folder / "a" / "cut.jpg")
    whole = (folder / "a" / "cut.jpg").read_bytes()
    (folder / "a" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "a" / "0.empty.png").write_bytes(b"")
    (folder / "b" / "text.png").write_text("not a picture")
    (folder / "b" / "short.png").write_bytes((folder / "b" / "1.png").read_bytes()[:100])
    return folder


def test_broken_pictures_are_refused_by_name_unless_asked(tmp_path):
    folder = damaged(tmp_path)
    with pytest.raises(DataError, match=r"0\.empty\.png: .*the file is empty.*on_corrupt: skip"):
        open_source(folder, split="train")
    with pytest.raises(DataError, match=r"cut\.jpg|short\.png|0\.empty\.png|text\.png"):
        open_source(folder, split="train", size=(16, 16), channels=3).fingerprint()


def test_skipped_pictures_are_counted_and_named_and_change_no_id(tmp_path):
    folder = damaged(tmp_path)
    source = open_source(folder, split="train", reading=SKIP)
    assert len(source) == 8
    (note,) = notes_of(source)
    assert "4 of 12 images cannot be read and are left out" in note
    assert "0.empty.png" in note
    assert note.endswith("; ...")
    again = open_source(folder, split="train", reading=SKIP)
    assert (again.fingerprint(), again.ids.tolist()) == (source.fingerprint(), source.ids.tolist())
    for broken in ("a/cut.jpg", "a/0.empty.png", "b/text.png", "b/short.png"):
        (folder / broken).unlink()
    clean = open_source(folder, split="train")
    assert clean.fingerprint() == source.fingerprint()
    assert notes_of(clean) == ()


def test_nothing_but_broken_pictures_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"none of 2 images can be read; the first: .*a\.png"):
        open_source(tmp_path, split="unlabelled", reading=SKIP)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of this damage
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "bmp", "webp", "ppm"])
def test_any_damage_is_a_data_error_that_names_the_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise(0, (16, 16, 3))).save(path)
    whole, draw = path.read_bytes(), np.random.default_rng(1)
    for _ in range(40):
        bad = bytearray(whole[: draw.integers(1, len(whole) + 1)])
        for place in draw.integers(0, len(bad), 4):
            bad[place] = draw.integers(0, 256)
        path.write_bytes(bad)
        try:
            only(tmp_path, size=(16, 16), channels=3)
        except DataError as error:
            assert f"a.{suffix}" in str(error)  # noqa: PT017 - damage may also leave a picture that can be read


NAMES = [
    "Ωμέγα",
    "猫の写真",
    "кошка",
    "🐈 🐕",
    "e\u0301te\u0301",
    "tab\tand\nline",
    "-rf",
    "a" * 200,
    "صورة",
    "%s{0}$x",
]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse some of these names")
def test_names_in_any_script(tmp_path):
    for index, name in enumerate(NAMES):
        (tmp_path / name).mkdir()
        Image.fromarray(noise(index)).save(tmp_path / name / f"{name}.png"[-250:])
    source = open_source(tmp_path, split="train")
    assert tuple(source.classes) == tuple(sorted(NAMES))
    assert len(set(source.ids.tolist())) == len(NAMES)
    for row, name in enumerate(sorted(NAMES)):
        assert np.array_equal(source.read(np.array([row]))[0], noise(NAMES.index(name)).transpose(2, 0, 1))
    assert len(source.fingerprint()) == 64


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse these names")
def test_names_that_are_no_utf8(tmp_path):
    place = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(place)  # noqa: PTH102 - a name of bytes
    Image.fromarray(noise()).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", place + b"/\xff\xfe.png")  # noqa: PTH104
    source = open_source(tmp_path, split="train")
    assert tuple(source.classes) == ("caf\\xe9",)
    assert np.array_equal(source.read(np.array([0]))[0], noise().transpose(2, 0, 1))
    source.fingerprint()
    with open(place + b"/\xff\xfe.png", "wb"):  # noqa: PTH123
        pass
    with pytest.raises(DataError) as caught:
        open_source(tmp_path, split="train")
    assert "caf\\xe9/\\xff\\xfe.png" in str(caught.value)
    str(caught.value).encode()


def test_classes_that_look_the_same_are_the_same(tmp_path):
    for split, form in (("train", "NFC"), ("test", "NFD")):
        for index, name in enumerate(("été", "hiver")):
            place = tmp_path / split / unicodedata.normalize(form, name)
            place.mkdir(parents=True)
            Image.fromarray(noise(index)).save(place / f"{split}{index}.png")
    train = open_source(tmp_path, split="train")
    test = open_source(tmp_path, split="test", classes=train.classes)
    assert tuple(test.classes) == tuple(train.classes)
    assert test.labels.tolist() == [train.classes.index("été"), train.classes.index("hiver")]


def test_in_memory_changes_no_bit(tmp_path):
    folder = damaged(tmp_path)
    plain = open_source(folder, split="train", reading=SKIP)
    held = open_source(folder, split="train", reading=Reading(on_corrupt="skip", in_memory=True))
    assert decodes(plain)
    assert not decodes(held)
    assert notes_of(held) == notes_of(plain)
    assert held.fingerprint() == plain.fingerprint()
    rows = np.array([7, 0, 3, 3])
    assert held.read(rows).tobytes() == plain.read(rows).tobytes()
    assert held.read(rows).flags.writeable
    for path in folder.rglob("*.png"):
        path.unlink()
    assert held.read(rows).shape == (4, 3, 16, 16)


def test_in_memory_arrays_are_the_same_source(tmp_path):
    np.savez(tmp_path / "a.npz", x=noise(shape=(9, 6, 5)), y=np.arange(9) % 3)
    plain = open_source(tmp_path / "a.npz", split="train")
    held = open_source(tmp_path / "a.npz", split="train", reading=Reading(in_memory=True))
    assert held.fingerprint() == plain.fingerprint()
    assert isinstance(held.contents, np.ndarray)
    assert not isinstance(held.contents.base, np.memmap)


def test_what_memory_cannot_hold_is_refused(tmp_path, monkeypatch):
    Image.fromarray(noise()).save(tmp_path / "a.png")
    monkeypatch.setattr("limbeck.data.held.free_bytes", lambda: 100)
    with pytest.raises(DataError, match=r"take 0\.0 GB in memory, .* leave data\.in_memory out"):
        open_source(tmp_path, split="unlabelled", reading=Reading(in_memory=True))

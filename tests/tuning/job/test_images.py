"""A folder of images becomes arrays, with a class for each subfolder."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

from kdropout.tuning import Job, JobError
from kdropout.tuning.job import images

Image = pytest.importorskip("PIL.Image")


def save(path, size=(8, 6), mode="RGB", seed=0):
    """Save an image of random pixels with this height and width, and return them."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"RGB": (3,), "RGBA": (4,), "L": (), "I;16": ()}[mode]
    high, dtype = (65536, "uint16") if mode == "I;16" else (256, "uint8")
    pixels = np.random.default_rng(seed).integers(0, high, (*size, *channels), dtype)
    Image.fromarray(pixels).save(path)
    return pixels


def make_folder(folder="pictures", count=10, **options):
    """Two classes with `count` images each."""
    pixels = []
    for number in range(2 * count):
        name = ("cat", "dog")[number % 2]
        path = f"{folder}/{name}/{number}.png"
        pixels.append(save(path, seed=number, **options))
    return pixels


def data_of(**settings):
    return Job(data={"images": "pictures", **settings}).make_data()


def test_images_are_arrays_in_the_unit_interval():
    pixels = make_folder()
    data = data_of()
    sizes = [len(y) for y in (data.y_train, data.y_val, data.y_test)]
    assert sizes == [12, 4, 4]
    assert data.input_shape == (8, 6, 3) and data.x_train.dtype == "float32"
    assert data.description.class_names == ("cat", "dog") and data.num_classes == 2
    x = np.concatenate([data.x_train, data.x_val, data.x_test])
    y = np.concatenate([data.y_train, data.y_val, data.y_test])
    found = {(round(float(a.sum()), 2), int(b)) for a, b in zip(x, y, strict=True)}
    expected = {
        (round(float((a / np.float32(255.0)).sum(dtype="float32")), 2), number % 2)
        for number, a in enumerate(pixels)
    }
    assert {label for _, label in found} == {0, 1}
    np.testing.assert_allclose(sorted(found), sorted(expected), atol=0.02)


@pytest.mark.parametrize(
    "mode, color_mode, channels",
    [("L", "grayscale", 1), ("I;16", "grayscale", 1), ("RGBA", "rgba", 4)],
)
def test_color_modes_have_their_channels(mode, color_mode, channels):
    pixels = make_folder(count=2, mode=mode)
    data = data_of(color_mode=color_mode, train_size=2, validation_size=2)
    assert data.input_shape == (8, 6, channels)
    largest = max(float(a.max()) for a in pixels)
    scale = 65535 if mode == "I;16" else 255
    both = np.concatenate([data.x_train, data.x_val])
    np.testing.assert_allclose(both.max(), largest / scale, rtol=1e-6)


def test_images_of_several_sizes_are_resized():
    make_folder()
    save("pictures/cat/wide.jpg", (5, 30))
    assert data_of(image_size=[4, 7]).input_shape == (4, 7, 3)
    assert data_of(image_size=5).input_shape == (5, 5, 3)


def test_folders_of_parts_are_not_split():
    for part, count in (("train", 6), ("validation", 2), ("test", 3)):
        make_folder(f"pictures/{part}", count)
    pathlib.Path("pictures/.cache").mkdir()
    pathlib.Path("pictures/train/cat/notes.txt").write_text("not an image")
    data = data_of()
    sizes = [len(y) for y in (data.y_train, data.y_val, data.y_test)]
    assert sizes == [12, 4, 6]
    shutil.rmtree("pictures/validation")
    data = data_of()
    sizes = [len(y) for y in (data.y_train, data.y_val, data.y_test)]
    assert sizes == [10, 2, 6]


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
def test_networks_take_images(architecture):
    make_folder()
    model = {"architecture": architecture}
    checked = Job(data={"images": "pictures"}, model=model).check()
    assert checked.model.input_shape == (None, 8, 6, 3)
    assert checked.data.description.class_names == ("cat", "dog")


def test_changed_pixel_changes_the_digest():
    make_folder()
    before = data_of().digests
    assert data_of().digests == before
    for number in range(20):
        name = ("cat", "dog")[number % 2]
        save(f"pictures/{name}/{number}.png", seed=number + 1)
    assert all(data_of().digests[part] != before[part] for part in before)


def refused(match, **settings):
    with pytest.raises(JobError, match=match):
        data_of(**settings)


def test_bad_folders_are_refused():
    refused("data.images: must be the path of a folder. There is no folder at 'pict")
    make_folder("pictureS")
    refused("Did you mean 'pictureS'?")
    pathlib.Path("pictures").write_text("a file")
    refused("must be the path of a folder")
    pathlib.Path("pictures").unlink()
    pathlib.Path("pictures").mkdir()
    refused("at least two classes. Received: 'pictures' with none")
    pathlib.Path("pictures/cat").mkdir()
    refused("at least two classes. Received: 'pictures' with only 'cat'")
    pathlib.Path("pictures/dog").mkdir()
    save("pictures/cat/1.png")
    refused("'pictures/dog' has none. Images end with .bmp, .gif")


def test_bad_parts_are_refused():
    make_folder("pictures/train")
    make_folder("pictures/val")
    refused("Received: 'pictures/val'.*Rename or remove it")
    pathlib.Path("pictures/val").rename("pictures/validation")
    make_folder("pictures/test/deeper")
    refused("the same classes in all parts. Received: 'pictures/test/deeper', a class")
    shutil.rmtree("pictures/test/deeper")
    refused("must contain images in each part. 'pictures/test' has none")


def test_mixed_sizes_need_a_size():
    make_folder()
    save("pictures/dog/wide.png", (8, 7))
    refused(
        r"data.image_size: is required.*8 x 6 pixels in '.*', and 8 x 7 in 'pictures/"
        r"dog/wide.png' \(height x width\).*such as \[8, 6\]"
    )


def test_unreadable_image_is_named():
    make_folder()
    whole = pathlib.Path("pictures/cat/0.png").read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        pathlib.Path("pictures/dog/1.png").write_bytes(content)
        refused("can be read. 'pictures/dog/1.png' cannot: .*Replace or remove it")


def test_16_bits_need_grey_images():
    make_folder(mode="I;16")
    refused("data.color_mode: must be grayscale for images of 16 bits per pixel")


def test_images_that_do_not_fit_into_memory_are_refused(monkeypatch):
    make_folder()
    refused("must fit into 4 GiB.*20 images of 9000 x 9000 pixels", image_size=9000)
    monkeypatch.setattr(images, "MOST_BYTES", 20 * 8 * 6 * 3 * 4 - 1)
    refused("Set a smaller data.image_size, or return a dataset")
    monkeypatch.setattr(images, "MOST_BYTES", 20 * 8 * 6 * 3 * 4)
    assert data_of().input_shape == (8, 6, 3)


def test_size_must_be_pixels(job_of):
    for size in ("0", "[8]", "[8, a]", "true", "20000"):
        with pytest.raises(JobError, match="line 1, data.image_size.*number of pixels"):
            job_of(f"data: {{images: pictures, image_size: {size}}}")


def test_images_need_pillow(monkeypatch):
    make_folder()
    monkeypatch.setattr(images, "is_installed", lambda name: name != "PIL")
    refused("data.images: needs Pillow. Run: pip install pillow")


def test_channels_come_last_whatever_keras_is_set_to(monkeypatch):
    make_folder(count=3)
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        assert data_of().input_shape == (8, 6, 3)
    finally:
        keras.config.set_image_data_format(before)

"""What notebook 00 says of the gallery is so."""

from __future__ import annotations

from course_lib.data import load_images
from course_lib.figures import start_here
from course_lib.shipped import load_gallery


def test_the_blobs_of_nice_come_from_the_better_density():
    bits = {name: model.figures.get("bits/dim") for name, model in load_gallery().items()}
    assert bits["NICE"] < bits["Gaussian mixture"]


def test_every_model_of_the_gallery_is_drawn_with_its_notebook():
    assert list(start_here.NOTEBOOKS) == list(load_gallery())


def test_every_picture_has_a_text():
    pictures = start_here.gallery(), start_here.training_digits(load_images().images), start_here.way_of_an_answer()
    assert all(len(picture.alt) > 30 and picture.png.startswith(b"\x89PNG") for picture in pictures)

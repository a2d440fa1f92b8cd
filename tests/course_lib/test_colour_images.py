"""CIFAR-10 and SVHN: read from sheets, from torchvision, or a sentence that says what to do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.colour_images import SHEETS, load_colour_images
from course_lib.data import DataError


def test_sheets_hold_an_image_a_row(tmp_path):
    (tmp_path / SHEETS).mkdir()
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    Image.fromarray(images.reshape(4, 1024, 3)).save(tmp_path / SHEETS / "test_batch.png")
    (tmp_path / SHEETS / "test_lables.json").write_text(json.dumps([3, 1, 4, 1]))
    data = load_colour_images("CIFAR10", "test", tmp_path)
    assert data.images.dtype == torch.uint8
    assert torch.equal(data.images, torch.from_numpy(images).permute(0, 3, 1, 2))
    assert data.labels.tolist() == [3, 1, 4, 1]


def test_broken_sheets_are_told_so(tmp_path):
    (tmp_path / SHEETS).mkdir()
    with pytest.raises(DataError, match="anew"):
        load_colour_images("CIFAR10", "train", tmp_path)


@pytest.mark.parametrize("dataset", ["CIFAR10", "SVHN"])
def test_without_network_a_sentence_says_what_to_do(tmp_path, monkeypatch, dataset):
    from torchvision import datasets

    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, dataset, offline)
    with pytest.raises(DataError, match="needs a network"):
        load_colour_images(dataset, "train", tmp_path)


def test_torchvisions_images_come_channels_first(tmp_path, monkeypatch):
    from torchvision import datasets

    class Made:
        def __init__(self, *args, **kwargs):
            self.data, self.targets = np.zeros((2, 32, 32, 3), np.uint8), [1, 2]

    monkeypatch.setattr(datasets, "CIFAR10", Made)
    assert load_colour_images("CIFAR10", "test", tmp_path).images.shape == (2, 3, 32, 32)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="CIFAR10"):
        load_colour_images("CIFAR100", "train")

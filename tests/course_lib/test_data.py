"""The embedded images, the full data sets, and what happens when a file is missing or broken."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib import data
from course_lib.data import DataError, load_images, principal_directions, read_idx

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_mnist = pytest.mark.skipif(
    not (SHARED / "MNIST" / "raw").is_dir(), reason="the full MNIST is not in ../shared/data"
)


@pytest.mark.parametrize(("split", "n"), [("train", 10_000), ("test", 2_000)])
def test_the_embedded_subset_is_real_and_balanced(split, n):
    images = load_images(split)
    assert images.images.shape == (n, 1, 28, 28)
    assert images.images.dtype == torch.uint8
    assert images.labels.dtype == torch.int64
    assert images.images.max() == 255
    counts = torch.bincount(images.labels)
    assert len(counts) == 10
    assert counts.min() > 0.07 * n
    assert images.flat().shape == (n, 784)
    assert 0 <= images.flat().min() <= images.flat().max() <= 1


def test_the_embedded_file_is_small_and_its_licence_lies_beside_it():
    assert data.SUBSET_FILE.stat().st_size < 3e6
    assert "CC BY-SA 3.0" in (data.ASSETS / "LICENSE-MNIST.md").read_text()


def test_one_of_each_class_of_fashion_mnist_is_embedded_with_its_licence():
    clothes = data.load_clothes()
    assert clothes.images.shape == (10, 1, 28, 28)
    assert clothes.images.dtype == torch.uint8
    assert clothes.labels.tolist() == list(range(len(data.CLOTHES)))
    assert data.CLOTHES_FILE.stat().st_size < 10_000
    licence = (data.ASSETS / "LICENSE-Fashion-MNIST.md").read_text()
    assert "MIT" in licence
    assert "Zalando SE" in licence


@needs_mnist
def test_the_full_mnist_is_read_and_the_subset_is_part_of_it():
    full, subset = load_images("train", full=True, root=SHARED), load_images("train")
    assert full.images.shape == (60_000, 1, 28, 28)
    assert torch.equal(full.images[::6], subset.images)
    assert torch.equal(full.labels[::6], subset.labels)
    from torchvision.datasets import MNIST

    oracle = MNIST(str(SHARED), train=True, download=False)
    assert torch.equal(full.images[:, 0], oracle.data)
    assert torch.equal(full.labels, oracle.targets)


def test_a_failed_download_falls_back_with_a_message(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.MNIST.download", refuse)
    with pytest.warns(UserWarning, match="embedded MNIST subset") as caught:
        images = load_images("test", full=True, root=tmp_path)
    assert len(images) == 2_000
    assert "no network" in str(caught[0].message)
    assert data.CACHE_VARIABLE in str(caught[0].message)


@pytest.mark.parametrize("error", [ImportError, RuntimeError("operator torchvision::nms does not exist")])
def test_a_torchvision_that_cannot_be_imported_falls_back_too(tmp_path, monkeypatch, error):
    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name.startswith("torchvision"):
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.warns(UserWarning, match="embedded MNIST subset"):
        assert len(load_images("test", full=True, root=tmp_path)) == 2_000


def test_the_cache_directory_follows_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv(data.CACHE_VARIABLE, str(tmp_path))
    assert data.cache_directory() == tmp_path
    monkeypatch.delenv(data.CACHE_VARIABLE)
    assert data.cache_directory().name == "latent-course"


def write_idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_idx_files_are_read_as_they_are(tmp_path):
    array = np.arange(24).reshape(2, 3, 4)
    write_idx(tmp_path / "some-idx3-ubyte", array)
    assert torch.equal(read_idx(tmp_path / "some-idx3-ubyte"), torch.from_numpy(array).byte())


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda content: content[:-7], "truncated"),
        (lambda content: content + b"x", "truncated or corrupt"),
        (lambda content: b"", "not an IDX file"),
        (lambda content: content[:6], "not an IDX file"),
        (lambda content: b"\x1f\x8b\x08\x00" + content, "still compressed"),
        (lambda content: b"<html>not found</html>", "not an IDX file"),
    ],
)
def test_a_broken_file_is_named_with_the_remedy(tmp_path, damage, word):
    raw = tmp_path / "MNIST" / "raw"
    write_idx(raw / "t10k-images-idx3-ubyte", np.zeros((5, 28, 28)))
    write_idx(raw / "t10k-labels-idx1-ubyte", np.zeros(5))
    broken = raw / "t10k-images-idx3-ubyte"
    broken.write_bytes(damage(broken.read_bytes()))
    with pytest.raises(DataError, match=word) as raised:
        load_images("test", full=True, root=tmp_path)
    assert str(broken) in str(raised.value)
    assert "Delete it" in str(raised.value)


def test_images_and_labels_that_do_not_match_are_named(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    write_idx(raw / "t10k-images-idx3-ubyte", np.zeros((5, 28, 28)))
    write_idx(raw / "t10k-labels-idx1-ubyte", np.zeros(4))
    with pytest.raises(DataError, match="5 images but"):
        load_images("test", full=True, root=tmp_path)


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"PK" + c[100:]])
def test_a_broken_embedded_file_is_named_with_the_remedy(tmp_path, damage):
    broken = tmp_path / "mnist_subset.npz"
    shutil.copy(data.SUBSET_FILE, broken)
    broken.write_bytes(damage(broken.read_bytes()))
    with pytest.raises(DataError, match="reinstall") as raised:
        data._load_subset("test", broken)
    assert str(broken) in str(raised.value)


@pytest.mark.parametrize("wrong", [{"split": "valid"}, {"full": True, "dataset": "CIFAR"}, {"dataset": "FashionMNIST"}])
def test_a_wrong_argument_is_named(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values()))) if "split" in wrong else wrong["dataset"]):
        load_images(**wrong)


def test_principal_directions_are_those_of_the_singular_value_decomposition():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 6, generator=generator, dtype=torch.float64) @ torch.diag(torch.arange(1.0, 7.0).double())
    mean, directions = principal_directions(x, 3)
    torch.testing.assert_close(mean, x.mean(0))
    torch.testing.assert_close(directions.T @ directions, torch.eye(3, dtype=torch.float64))
    wanted = torch.linalg.svd(x - mean, full_matrices=False).Vh[:3]
    torch.testing.assert_close((wanted @ directions).abs(), torch.eye(3, dtype=torch.float64))
    assert (directions.sum(0) > 0).all()

"""Latent Variable Models, a course you can run: reference implementations, data, checks and explorers."""

from importlib.metadata import version

__version__ = version("latent-course")

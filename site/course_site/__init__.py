"""The course as a web site: its pages are made from the notebooks, the guides and the library, and built by Sphinx."""

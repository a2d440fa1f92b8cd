"""Building the notebooks and grading what students hand in, on top of nbgrader."""

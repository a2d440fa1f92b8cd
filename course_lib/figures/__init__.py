"""The figures of the notebooks, one file for each, and the diagrams that several share.

A notebook calls one function, which returns a :class:`course_lib.plots.Picture`; what is drawn is handed in, so that a
figure shows what the student has made.
"""

"""Notebook 00: working with logarithms of probabilities."""

NOTEBOOK = "00_start_here"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "independent_log_prob",
    "log_mean_exp",
    "underflow_prediction",
)

"""Notebook 00: working with logarithms of probabilities."""

NOTEBOOK = "00_start_here"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "independent_log_prob",
    "underflow_prediction",
    "rest_of_the_sum",
    "log_mean_exp",
)

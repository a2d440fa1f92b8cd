"""Notebook 03: a q of its own for every data point, and what is wrong with that."""

NOTEBOOK = "03_variational_inference"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "per_point_elbo",
    "ascend_q",
    "optimal_sigma",
    "stale_q_prediction",
    "train_step",
    "diagnosis_03",
    "new_image_prediction",
    "infer_q",
    "growth_prediction",
    "count_parameters",
)

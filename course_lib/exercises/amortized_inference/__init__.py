"""Notebook 04: one network that gives q for every data point."""

NOTEBOOK = "04_amortized_inference"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "amortized_parameters_prediction",
    "encoder",
    "amortized_elbo",
    "train_step",
    "diagnosis_04",
    "refine_q",
    "amortization_gap",
    "negative_gap_prediction",
    "unlike_image_prediction",
    "leaning_gap",
    "log_evidence_estimate",
    "measure_gaps",
)

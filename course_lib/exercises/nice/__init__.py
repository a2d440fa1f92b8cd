"""Notebook 10: NICE."""

NOTEBOOK = "10_nice"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "additive_coupling_forward",
    "additive_coupling_inverse",
    "determinant_step",
    "coupling_jacobian",
    "additive_coupling",
    "volume_prediction",
    "scaling",
    "logistic_log_prob",
    "logistic_sample",
    "likelihood_prediction",
    "dequantize",
    "nice",
    "sample_entropy",
    "diagnosis_10_a",
    "diagnosis_10_b",
    "diagnosis_10_c",
    "inpaint_step",
)

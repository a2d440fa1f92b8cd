"""Notebook 12: comparing models."""

NOTEBOOK = "12_comparing_models"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "evidence_gap",
    "bound_in_bits",
    "vae_bits_per_dim",
    "flow_bits_per_dim",
    "diagnosis_12_a",
    "diagnosis_12_b",
    "diagnosis_12_c",
    "luck_prediction",
    "paired_difference",
    "unlike_prediction",
    "detection",
    "cost_prediction",
    "power_law",
    "exact_line",
    "bound_line",
    "simple_line",
    "special_line",
    "dimension_line",
    "compress_choice",
    "unusual_choice",
    "codes_choice",
)

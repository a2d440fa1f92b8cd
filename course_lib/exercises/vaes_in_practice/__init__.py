"""Notebook 08: the two problems of VAEs, and the weight β on the KL."""

NOTEBOOK = "08_vaes_in_practice"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "kl_per_dimension",
    "active_units",
    "diagnose",
    "beta_elbo",
    "objective_gap",
    "equivalent_sigma",
    "mean_over_pixels_prediction",
    "rate_distortion",
    "slope_prediction",
    "strong_decoder_prediction",
    "beta_schedule",
    "schedule_prediction",
    "next_beta",
    "diagnosis_08_a",
    "diagnosis_08_b",
    "diagnosis_08_c",
    "diagnosis_08_d",
    "diagnosis_08_e",
)

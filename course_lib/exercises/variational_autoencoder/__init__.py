"""Notebook 06: the variational autoencoder."""

NOTEBOOK = "06_variational_autoencoder"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "reparameterize",
    "kl_to_standard_normal",
    "bernoulli_log_likelihood",
    "vae",
    "train_step",
    "two_dimensions_prediction",
    "diagnosis_06_a",
    "diagnosis_06_b",
    "diagnosis_06_c",
    "interpolate",
    "why_sampling_works",
    "aggregate_posterior_log_prob",
    "spread_around_aggregate",
    "log_importance_weights",
    "iwae_prediction",
    "importance_weighted_bound",
)

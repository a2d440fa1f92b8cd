"""Notebook 01: p(x) = ∫ p(x|z) p(z) dz, and estimating the log-likelihood."""

NOTEBOOK = "01_latent_variable_models"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "gaussian_log_prob",
    "sample_mixture",
    "mixture_log_prob",
    "mixture_posterior",
    "expected_log_joint",
    "maximising_means",
    "em_step",
    "monte_carlo_log_likelihood",
    "bias_prediction",
    "dimension_prediction",
)

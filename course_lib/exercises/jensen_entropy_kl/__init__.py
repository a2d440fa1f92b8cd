"""Notebook 02: Jensen's inequality, entropy, KL divergence, and why the bound is tight."""

NOTEBOOK = "02_jensen_entropy_kl"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "spread_prediction",
    "jensen_gap",
    "gaussian_entropy",
    "categorical_entropy",
    "expected_square",
    "gaussian_kl",
    "negative_kl_prediction",
    "monte_carlo_kl",
    "monte_carlo_elbo",
    "linear_gaussian_posterior",
    "linear_gaussian_evidence",
    "entropy_sign",
    "tightness_prediction",
)

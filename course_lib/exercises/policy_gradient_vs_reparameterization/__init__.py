"""Notebook 05: the policy gradient against the reparameterized one."""

NOTEBOOK = "05_policy_gradient_vs_reparameterization"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "gaussian_score",
    "score_function_surrogate",
    "constant_prediction",
    "leave_one_out_baseline",
    "diagnosis_05",
    "reparameterized_surrogate",
    "unbiased_prediction",
    "gradient_mean_and_variance",
    "score_dimension_prediction",
    "elbo_with_analytic_kl",
    "variance_saved",
    "policy_gradient_objective",
    "discrete_prediction",
    "categorical_elbo",
    "categorical_policy_gradient",
)

"""Notebook 07: conditional models, and VAEs with convolutions."""

NOTEBOOK = "07_conditional_and_convolutional_vaes"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "conditional_elbo",
    "missing_divergence",
    "predict",
    "conditional_log_likelihood",
    "drawn_from_q",
    "prior_without_x",
    "neither_with_x",
    "best_of_samples",
    "diagnosis_07_a",
    "diagnosis_07_b",
    "diagnosis_07_c",
    "conv_encoder",
    "conv_decoder",
    "fully_conv_vae",
    "larger_prediction",
    "latent_dependence",
)

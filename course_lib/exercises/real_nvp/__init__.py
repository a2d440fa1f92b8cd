"""Notebook 11: Real-NVP."""

NOTEBOOK = "11_real_nvp"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "affine_coupling_forward",
    "affine_coupling_inverse",
    "bound_prediction",
    "slope_in_h",
    "real_nvp",
    "bridge_prediction",
    "logit_transform",
    "logit_transform_inverse",
    "bits_per_dim",
    "checkerboard_mask",
    "channel_mask",
    "masked_coupling_forward",
    "masked_coupling_inverse",
    "squeeze",
    "unsqueeze",
    "latent_shapes",
    "image_real_nvp",
    "diagnosis_11_a",
    "diagnosis_11_b",
    "diagnosis_11_c",
    "diagnosis_11_d",
)

"""Notebook 09: normalizing flows."""

NOTEBOOK = "09_normalizing_flows"

# In the notebook's order: an exercise by its file's name, a question by its own.
ORDER = (
    "integral_prediction",
    "change_of_variables",
    "numerical_log_det",
    "elementwise_affine",
    "relu_prediction",
    "leaky_relu",
    "second_log_det",
    "composition",
    "find_the_liar",
    "flow_log_prob",
    "sample_flow",
    "negative_log_likelihood",
    "entropy_prediction",
    "diagnosis_09_a",
    "diagnosis_09_b",
    "diagnosis_09_c",
)

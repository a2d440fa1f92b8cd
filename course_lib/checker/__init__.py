"""The machinery of checking; it knows no exercise. An answer is observed, compared, diagnosed, reported."""

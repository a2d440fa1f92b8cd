"""From a source to the notebook that students get: source, build, preprocessors."""

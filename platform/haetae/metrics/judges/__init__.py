"""Language models as judges: by a rubric, by criteria, of two answers, of several, by several judges."""

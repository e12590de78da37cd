"""Whether the sentences of an answer stand in its sources: numbers, names and words, compared without a model."""

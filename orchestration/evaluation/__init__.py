"""Every method on the same unseen questions: rollouts, the evaluation document, the report about it."""

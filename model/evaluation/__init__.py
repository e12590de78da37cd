"""How good an agent is: judges, verdicts, statistics."""

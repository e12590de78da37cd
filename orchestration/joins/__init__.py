"""Where ``assets`` and ``model`` meet."""

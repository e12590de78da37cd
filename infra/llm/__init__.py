"""Language models behind an endpoint: chat completions and completions by token ids."""

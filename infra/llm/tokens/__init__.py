"""Token servers: completions by token ids, of one model on several servers."""

"""The agent: its loop, environment, prompts and memory policies."""

"""A Qwen3-VL of a few million parameters with its own tokenizer: same classes and code path as the 8B model."""

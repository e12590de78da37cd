"""Embedders of the Qwen-VL classes from a local folder: Qwen3-VL-Embedding, GVE, and the miniature eye.

``embedder.QwenVlEmbedder`` is the embedder; nothing here is imported by a module that has to stay without torch.
"""

"""The agent and its training: memory policies, model policies, rollouts, rewards, GGPO.

Imports ``memory_graph`` and nothing else of the project; retrieval, pixels and grading come in through ``protocols.py``.
"""

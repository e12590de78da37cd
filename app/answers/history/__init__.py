"""Conversations as they are kept: stored, searched, gone on with, exported, deleted."""

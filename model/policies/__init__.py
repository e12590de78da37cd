"""Vision-language models as policies: local, served by tokens, behind a chat endpoint."""

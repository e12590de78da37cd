"""An OpenAI-compatible face of the server: chat clients ask the agent, and get its answer with citations."""

"""Training and judging of the miniature eye: joins pictures (``assets``), loss (``model``) and prompts (``infra``)."""

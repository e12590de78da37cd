"""Deployment as files, no code: container images, compose, Helm values, launchers of several machines. See docs/deploy.md."""

"""One root on disk or on S3, its manifests, locks and small files."""

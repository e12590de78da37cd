"""The outside world, one adapter a file: storage, documents, images, videos, vector stores, processes."""

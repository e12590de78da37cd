"""The outside world, one adapter a file: storage, documents, pictures, video, vector stores, processes."""

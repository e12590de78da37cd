"""Films, pictures and PDF pages to items."""

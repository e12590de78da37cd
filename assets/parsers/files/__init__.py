"""Raw files read safely: folders, JSON and Parquet records, tables of images."""

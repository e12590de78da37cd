"""Reports as one HTML file with charts as SVG."""

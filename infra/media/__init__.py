"""Documents, images and video decoded in a limited process; the raw decoders are private."""

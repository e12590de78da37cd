"""The limited process in which untrusted media are decoded."""

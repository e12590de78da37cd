"""What works on this machine, one check a line: each says what it found, and what to do where something is missing."""

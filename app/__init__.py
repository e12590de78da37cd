"""What a person uses directly: the command line. A leaf: nothing imports it."""

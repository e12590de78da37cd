"""A ``vimrag serve`` that runs over a root, found and asked by other commands, so that they load nothing themselves."""

"""The files of a root as their reader knows them: listed, told apart, chosen, removed, read again, opened at a place."""

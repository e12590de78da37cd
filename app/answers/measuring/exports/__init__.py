"""What other programs and people read of a finished evaluation. Written from its records alone; nothing is asked again."""

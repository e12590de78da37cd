"""Taking a person's document out of everything that was made of it, and saying that it was done."""

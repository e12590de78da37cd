"""What is trained on and measured, whether it can begin, and what two measurements say of each other."""

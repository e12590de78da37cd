"""One file a group of commands; each command parses, calls one function below, and shows what came back."""

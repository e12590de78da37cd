"""The nine on-disk formats, one module each: a writer takes worlds one after another and writes their questions.

Each module's docstring says which files it leaves and where the format leaves it free. No writer knows another; each
returns the ids of its items and questions.
"""

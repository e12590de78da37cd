"""What a few minutes of one large GPU are used for: ``python benchmarks/gpu/run.py --minutes 9``.

``run.py`` is the command line, ``bounded.py`` ends what sleeps, ``steps.py`` lists the steps in the order of their worth;
each step is a file that measures and reports at once. Imports ``model`` and ``memory_graph`` only.
"""

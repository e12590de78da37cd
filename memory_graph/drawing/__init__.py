"""The memory graph drawn: ``layout`` places it, ``svg`` and ``terminal`` draw it, ``notes`` is what a drawing may say beyond it.

Standard library only, like the rest of ``memory_graph``; the graph itself knows nothing of this.
"""

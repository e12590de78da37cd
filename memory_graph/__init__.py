"""The multimodal memory graph of VimRAG (arXiv 2602.12735), standard library only.

Read in this order: ``graph`` (the state), ``actions`` and ``parsing`` (how a model changes it), ``energy``
and ``budget`` (how many pixels each kept item gets, Eq. 6-8), ``credit`` (which steps are trained, Eq. 11),
``linearise`` (what the model is shown) and ``codec`` (how it is stored). Nothing here touches pixels, tokens,
tensors or the network.
"""

"""The miniature: invented worlds asked about in the nine datasets' own formats, small enough for two CPU cores.

``build.write_miniature`` writes the raw folders that the real parsers read; nothing downstream knows that the data is
invented. Facts come from ``world``, words from ``lexicon``, pixels from ``render``; question templates are in ``templates``.
"""

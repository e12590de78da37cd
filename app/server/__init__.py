"""The HTTP interface of ``vimrag serve``: questions as streams of events, search, media, trajectories, uploads."""

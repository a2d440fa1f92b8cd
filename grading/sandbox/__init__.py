"""Running what students wrote apart from what judges it: bubblewrap, a preloaded server, a pipe for data."""

"""Where the maximum is, and how sharp it is."""

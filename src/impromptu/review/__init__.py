"""People look at what a teacher said, one item at a time, and say whether it is so."""

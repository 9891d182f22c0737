"""Raw driving logs in, driving answers and their scores out."""

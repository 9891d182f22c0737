"""A local page to browse samples, clips and predictions of any size."""

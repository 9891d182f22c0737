"""Curation: which of many keyframes show an unstructured scene, of which kind, and which to keep."""

"""Curation: which keyframes show an unstructured scene, of which kind, and which to keep."""

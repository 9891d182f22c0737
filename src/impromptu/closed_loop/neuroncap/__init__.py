"""NeuroNCAP's own evaluation: which programs it takes, how they are started, watched and ended."""

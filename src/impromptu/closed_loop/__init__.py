"""The closed loop: a model drives, and what it does decides what it sees next."""

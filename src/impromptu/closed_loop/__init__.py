"""The closed loop: a model drives, what it does changes what it sees, and crashes are counted."""

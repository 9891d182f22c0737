"""The published rules, their faults included: for asking published checkpoints, nothing else.

They judge by the present speed and over horizons other than the question's, and they print a
velocity and an acceleration taken from the future. What a clip does not hold cannot be imitated:
headings in the world (differences of headings were not wrapped; here they are), labels that the
last frames of a scene took over from earlier ones, and the path beyond 5 s. Distances to agents
in q2 are rounded here and were cut down.
"""

WARNING = (
    "labels and status follow published rules that look into the future; "
    "for evaluating published checkpoints only, not for training"
)

"""The four kinds of unstructured scene; a scene of none of them is a standard one."""

CATEGORIES = {
    "unclear_boundaries": "Roads with unclear boundaries",
    "temporary_rules": "Temporary traffic rule changes",
    "unconventional_obstacles": "Unconventional dynamic obstacles",
    "challenging_conditions": "Challenging road conditions",
}
"""Their tags in clip tables, and their names."""

NAMES = tuple(CATEGORIES.values())

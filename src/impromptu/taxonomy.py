"""The four kinds of unstructured scene; a scene of none of them is a standard one."""

NAMES = (
    "Roads with unclear boundaries",
    "Temporary traffic rule changes",
    "Unconventional dynamic obstacles",
    "Challenging road conditions",
)

"""No model: reads position and velocity from the prompt, and drives on straight at that speed."""

from impromptu.engines._asked import Asked, path_engine

ENGINE = path_engine(Asked.straight_m)

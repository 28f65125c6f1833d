"""Scripts that measure the studio, and those that draw its documentation."""

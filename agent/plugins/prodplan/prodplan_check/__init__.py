"""Checks schedules against their plans. The rules of a schedule and the reading of a plan as JSON
holds it are its own, so that a mistake of what makes the schedules cannot hide itself here. One
thing is shared: a text in a format of the field is made JSON by what the solver reads it with."""

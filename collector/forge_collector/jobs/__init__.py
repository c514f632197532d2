"""Jobs: a queue that idle machines of the fleet work on."""

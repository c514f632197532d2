"""forgectl: the operator's command line. It speaks HTTP to a collector, and nothing else."""

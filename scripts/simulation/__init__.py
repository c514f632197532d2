"""A fleet of agents that do not exist, pushing over real HTTP. See scripts/simulate."""

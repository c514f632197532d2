"""The agent's releases: files of a folder, handed to whoever asks. Their signature is the agents'
affair; the collector holds no key."""

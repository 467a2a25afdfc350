"""Pictures of what a network takes from which part of its inputs."""

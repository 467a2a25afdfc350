"""What goes along with a run's events: findings, pictures, histograms, the loss of each example."""

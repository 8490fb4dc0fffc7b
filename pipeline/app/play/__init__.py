"""The Playground's learner: settings, points, the net in numpy, its training, export, and the process it runs in."""

"""The Playground's training: settings, points, a network in numpy, its learner, exports, and the process of a page."""

"""Train, track and reproduce the networks of the lecture "Neural Networks for Machine Learning"."""

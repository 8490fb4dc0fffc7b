"""Test labels that are known to be wrong: official scores keep them, and stand beside how many errors they explain."""

# By number in the official order of MNIST's test images; the votes are published at labelerrors.com.
# Source: Northcutt, Athalye, Mueller 2021, arXiv:2103.14749.
KNOWN_LABEL_ERRORS = {
    "mnist": (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729),
}

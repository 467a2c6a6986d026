"""The parts of the screen, a file for each region."""

"""One thin module for each command, and the dispatcher behind `greenroom`."""

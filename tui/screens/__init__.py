"""The screens: the messenger itself, its help, and what is shown without an endpoint."""

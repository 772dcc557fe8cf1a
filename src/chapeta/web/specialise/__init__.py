"""The parts of the page Specialise: what is given, what it will take, how far it is, what came out."""

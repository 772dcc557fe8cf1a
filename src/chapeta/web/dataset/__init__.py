"""The parts of the page Examples: a file is brought in, rows are browsed and corrected, checked and split."""

"""The parts of the page Usage: totals, a chart over the days, a table of groups, budgets."""

"""Pure statistics: agreement, bootstrap intervals, proportions, text and ROUGE."""

"""Components of several figures: the sheet, the axes of model inputs, the overview of a file."""

"""What several figures share: the sheet, the axes of model inputs, the overview of a file."""

"""A local web page for the recipes, with Gradio: `tfdream studio`.

A `Job` is what a user chose on the page. A worker process carries it out by the functions that the
commands call, so each job has an equivalent command. Finished jobs are folders, which the history
lists.
"""

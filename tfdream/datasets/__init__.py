"""From folders of recordings to batches of tensors."""

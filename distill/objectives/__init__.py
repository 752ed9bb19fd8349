"""What students learn by: one small file for each idea; the catalogue is `distill.objectives.configs`.

Every loss is a sum over rows and labels. The training loop divides by the rows of the whole optimiser step,
unlabelled ones counted, so that adding up gradients of micro batches equals one larger batch.
"""

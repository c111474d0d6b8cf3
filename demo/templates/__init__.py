"""`python demo templates`: the example workflows of models that people run, drawn from a few lines each."""

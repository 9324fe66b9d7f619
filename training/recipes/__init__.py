"""How each model is trained: one file a recipe, whose name is the name on the command line."""

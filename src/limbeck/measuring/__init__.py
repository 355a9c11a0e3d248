"""What a model is worth and what it costs. Nothing here needs torch until a torch module is handed in."""

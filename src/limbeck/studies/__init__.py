"""Many runs, compared: the verdict, its interval, its words and its proof."""

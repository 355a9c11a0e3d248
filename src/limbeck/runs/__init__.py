"""One recipe, many trained models: data opened, teachers and students built, tuned, trained and measured."""

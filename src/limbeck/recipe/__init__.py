"""`recipe.yaml` <-> one frozen, strict, typed `Recipe`.

Example:
    >>> from limbeck import recipe
    >>> recipe.from_mapping({"data": {"train": "digits"}, "teacher": "given", "trian": {"epochs": 5}})
    Traceback (most recent call last):
    limbeck.errors.RecipeError: recipe: trian: unknown key; did you mean train?
"""

from limbeck.recipe.load import dump, from_mapping, load
from limbeck.recipe.model import GIVEN, GUIDE, Recipe
from limbeck.recipe.schema import json_schema

__all__ = ["GIVEN", "GUIDE", "Recipe", "dump", "from_mapping", "json_schema", "load"]

"""`python -m limbeck`, the same as the `limbeck` command."""

from limbeck.cli import main

if __name__ == "__main__":
    main()

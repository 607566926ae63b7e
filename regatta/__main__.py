"""The command line as a module: `python -m regatta`."""

from regatta import main

if __name__ == "__main__":
    main()

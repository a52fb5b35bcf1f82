"""`python -m directcd`."""

from directcd.cli import main

if __name__ == "__main__":
    main()

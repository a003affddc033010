"""What the Python scripts share: --help prints what stands at their head, anything else that starts with a dash is refused."""

import sys


def words(doc, least, most=None):
    """The script's arguments, at least `least` and at most `most` (None: any number); ends it where they are not that."""
    arguments = sys.argv[1:]
    if "-h" in arguments or "--help" in arguments:
        print(doc.strip())
        sys.exit()
    for argument in arguments:
        if argument.startswith("-"):
            sys.exit(f"{sys.argv[0]}: unknown option '{argument}'; accepted: --help\n\n{doc.strip()}")
    if len(arguments) < least or (most is not None and len(arguments) > most):
        sys.exit(doc.strip())
    return arguments

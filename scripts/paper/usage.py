"""--help prints what stands at a script's head; anything else that starts with a dash is refused."""

import sys


def words(doc, least, most=None, arguments=None):
    """The script's arguments, at least `least` and at most `most` (None: any number); ends it where they are not that."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if "-h" in arguments or "--help" in arguments:
        print(doc.strip())
        sys.exit()
    for argument in arguments:
        if argument.startswith("-"):
            sys.exit(f"{sys.argv[0]}: unknown option '{argument}'; accepted: --help\n\n{doc.strip()}")
    if len(arguments) < least or (most is not None and len(arguments) > most):
        sys.exit(doc.strip())
    return arguments

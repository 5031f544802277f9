"""Commands that run on the head, where Nextflow runs. Standard library only."""

import sys

from idrstream.base.tables import Problems

USER_ERROR = 64  # exit code: the user must fix something


def run(main):
    """Call MAIN; Problems end the command with their sentences on stderr and USER_ERROR."""
    try:
        main()
    except Problems as problems:
        print("\n".join(problems.sentences), file=sys.stderr)
        sys.exit(USER_ERROR)

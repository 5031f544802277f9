"""How a command ends that runs on the head, where Nextflow runs. Standard library only."""

import sys

from idrstream.base.tables import Problems

USER_ERROR = 64  # exit code: the user must mend it


def run(main):
    """Call MAIN; what is wrong with the user's files ends the command in sentences, with USER_ERROR."""
    try:
        main()
    except Problems as problems:
        print("\n".join(problems.sentences), file=sys.stderr)
        sys.exit(USER_ERROR)

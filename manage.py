#!/usr/bin/env python
"""Django's command line; the people side's settings, which know every app."""

import os
import sys

from django.core.management import execute_from_command_line

from estserver.config import ConfigError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estserver.settings.admin")
    try:
        execute_from_command_line(sys.argv)
    except ConfigError as error:
        sys.exit(str(error))  # a line for each problem; they are the operator's, not a bug's
    except KeyboardInterrupt:
        sys.exit(130)  # Ctrl-C wants no traceback; 128 + SIGINT is what a shell makes of it
